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
  // Of a `ret`: the straight line that leads to it, in its order; only the first may be a conditional jump, and then it
  // falls through.  No more than the last few instructions, and none before a place that a jump goes to.
  std::vector<Instruction> before;
};

// What can be read from the code of a function.
struct Exits {
  std::vector<Exit> exits;           // by stretch, then by address
  std::string error;                 // why they are not complete; `exits` is then meaningless
  bool decoded = false;              // all of it, in step; the rest is known only then
  std::vector<LinkAddress> targets;  // sorted: where its direct jumps go that stay inside, the entry among them
  bool calls = false;                // there is a call in it, or a system call
  bool switches_stack = false;       // rsp is written in a way that no prologue or epilogue does
  bool unknown_jumps = false;        // an indirect jump, which may go anywhere in it
};

// Decodes every stretch from its start.  The first stretch is the body and holds the entry; a jump to the entry leaves
// the function, as the entry's breakpoint is hit again.
[[nodiscard]] Exits find_exits(Decoder& decoder, std::span<const Stretch> stretches);

// Where the direct jumps of `stretch` go, for telling which `.cold` part belongs to which function.
[[nodiscard]] std::vector<LinkAddress> jump_targets(Decoder& decoder, const Stretch& stretch);

}  // namespace diagnose::target
