// The functions whose names a user may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "target/elf_image.h"

namespace diagnose::target {

// At most three, the nearest first, by edit distance to the demangled name without parameters, to its last component
// and to the symbol.  Empty if nothing is near, or `wanted` is.
[[nodiscard]] std::vector<std::string> nearest(const std::vector<Symbol>& symbols, std::string_view wanted);

}  // namespace diagnose::target
