// Code that takes another stack: every write of rsp from memory or from another register that is not the end of a
// frame, of a variable-length array or of an aligned frame.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "target/code.h"
#include "target/elf_image.h"

namespace diagnose::target {

// One text for each such place ("rsp is loaded from memory at 0x12f0"), at most `most`; empty: the code has none.
// Only code that is sure to keep its stack is passed over.  Fails if the file cannot be read.
[[nodiscard]] Result<std::vector<std::string>> find_stack_switches(const ElfImage& image, Decoder& decoder,
                                                                   std::size_t most);

}  // namespace diagnose::target
