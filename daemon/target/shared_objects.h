// Variables that several files of a process have under one name.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "target/debug_info.h"
#include "target/elf_image.h"

namespace diagnose::target {

// Of the data that `symbols` name what the file defines for itself and others (.dynsym).  Fails where the file lies.
[[nodiscard]] Result<std::vector<SharedObject>> find_shared_objects(const ElfImage& image,
                                                                    const std::vector<std::string>& symbols);

}  // namespace diagnose::target
