// Where the code of a line of source begins, by the line tables of DWARF (DWARF 5, 6.2), through libdw.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "target/dwarf_file.h"

namespace diagnose::target {

struct LineCode {
  // Sorted.  Of each stretch of code of the line, in whatever function or copy, the first statement.
  std::vector<LinkAddress> addresses;
  std::vector<std::string> files;     // the source files that bear the name, whole paths; sorted
  std::optional<std::uint32_t> near;  // if there is no address: the next line with code, or else the last before
};

// `file` is a path or its end, from a slash on: "cart.cc" is "/src/shop/cart.cc", and not "/src/mycart.cc".  A whole
// path means that file alone.  `is_code` says which addresses the file that runs has code at: the linker drops
// functions, but not their lines.
[[nodiscard]] LineCode find_line(const DwarfFile& dwarf, std::string_view file, std::uint32_t line,
                                 const std::function<bool(LinkAddress)>& is_code);

}  // namespace diagnose::target
