// Copies of functions that were inlined in others, by debug information (DWARF 5, 3.3.8), through libdw.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "target/answer.h"
#include "target/code.h"
#include "target/dwarf_file.h"
#include "target/function_map.h"

namespace diagnose::target {

struct InlinedCopy {
  std::string symbol;  // of the function that was inlined; its plain name if it has none
  LinkAddress entry{};
  std::vector<Range> code;  // all of it, by address; empty if nothing is left of the copy
};

struct InlinedCopies {
  std::vector<InlinedCopy> copies;  // by entry
  bool cut = false;                 // there are more, or there may be: not all debug information was searched
};

// Of the functions whose symbol, or plain name, `matches`; at most `most`.
[[nodiscard]] InlinedCopies find_inlined(const DwarfFile& dwarf, const std::function<bool(std::string_view)>& matches,
                                         std::size_t most);

// Why hits of `copy.entry` might not be as many as the calls of the function that the copy stands for; empty: proved
// that they are.  `parts`: the functions, and their cold parts, that hold the copy's code.  Proved is that the code of
// the copy is entered at its entry alone, and that nothing in it goes back there.
[[nodiscard]] std::string doubt_about(const InlinedCopy& copy, Decoder& decoder, const std::vector<const Body*>& parts);

}  // namespace diagnose::target
