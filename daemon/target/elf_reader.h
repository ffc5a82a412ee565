// FileReader in this process, over libelf, capstone and the demangler.
#pragma once

#include <memory>

#include "target/answer.h"

namespace diagnose::target {

[[nodiscard]] std::unique_ptr<FileReader> make_elf_reader();

}  // namespace diagnose::target
