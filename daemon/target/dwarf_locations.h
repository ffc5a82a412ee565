// Where a variable is: location expressions and location lists (DWARF 5, 2.5, 2.6 and 7.7.3) as pieces that a probe can
// read.  Computations that a piece cannot say are refused with the reason, never guessed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"
#include "target/cfi.h"
#include "target/debug_info.h"
#include "target/dwarf_die.h"

namespace diagnose::target {

// Where in a function registers are looked at.
struct Viewpoint {
  LinkAddress pc{};
  bool entry = false;          // `pc` is the function's first byte
  Dwarf_Die function{};        // for its frame base
  std::optional<CfaRule> cfa;  // at `pc`; nothing: not known
};

struct Location {
  enum class Kind {
    none,   // the debug information has no location that holds here; `why` says where it lives, if it does
    exact,  // `pieces` hold
    // Of a viewpoint at the entry: a slot below the canonical frame address, or one based on a register that the
    // function sets up later: nothing has been written there yet.
    slot,
    // Known, but not in the words of a piece; or `pieces`, of which it is not sure that they hold at the call; `why`.
    computed,
  };
  Kind kind = Kind::none;
  std::vector<Piece> pieces;
  std::string why;
  bool whole_function = false;  // one expression for all of it, not a list
};

// Of a variable or parameter of `bytes` bytes.
[[nodiscard]] Location locate(Dwarf_Die variable, const Viewpoint& viewpoint, std::uint64_t bytes);

// Words for a piece: "%rdi", "memory at %rsp+8".
[[nodiscard]] std::string text(const Piece& piece);

// A value of `bytes` bytes that is the same wherever it is looked at: DW_AT_const_value.
[[nodiscard]] std::optional<std::vector<Piece>> constant_pieces(Dwarf_Die variable, std::uint64_t bytes);

}  // namespace diagnose::target
