// Where a function is left: every `ret` and every jump out of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "target/answer.h"
#include "target/code.h"

namespace diagnose::target {

// One stretch of a function with its bytes.
struct Stretch {
  Range range;
  std::vector<std::uint8_t> bytes;
};

// An exit: the instruction, and what kind of site it is.
struct Exit {
  SiteKind kind = SiteKind::exit;
  Instruction instruction;  // views the stretch's bytes
};

struct Exits {
  std::vector<Exit> exits;  // by stretch, then by address
  std::string error;        // why they are not complete; `exits` is then meaningless
};

// Decodes every stretch from its start.  The first stretch is the body and holds the entry; a jump to the entry leaves
// the function, as the entry's breakpoint is hit again.
[[nodiscard]] Exits find_exits(Decoder& decoder, std::span<const Stretch> stretches);

// Where the direct jumps of `stretch` go, for telling which `.cold` part belongs to which function.
[[nodiscard]] std::vector<LinkAddress> jump_targets(Decoder& decoder, const Stretch& stretch);

}  // namespace diagnose::target
