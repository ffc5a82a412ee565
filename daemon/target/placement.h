// Where a breakpoint is cheap: the nearest place in straight-line code whose instruction the kernel emulates, if a
// breakpoint there is as good as at the place that was asked for (design D6).  A five-byte nop is chosen nowhere but at
// the start of a function, see becomes_call().
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "target/answer.h"
#include "target/cfi.h"
#include "target/code.h"
#include "target/effects.h"
#include "target/exits.h"

namespace diagnose::target {

// A place found, in the terms of a Site: the instruction, CFA - rsp there, and what else holds.
struct Place {
  Instruction instruction;                         // views the code given
  std::int64_t cfa_offset = 8;                     // CFA = rsp + cfa_offset
  std::uint8_t result_register = register_result;  // of a place behind a call; register_none: overwritten
  std::optional<std::uint8_t> unless;              // x86 condition code, see Site::unless
};

// Behind a call, at its return address: `code` begins there and runs to the end of the function or further;
// `targets`: sorted addresses that jumps of the function go to (empty where the function is not known).  The cheapest
// place that is reached whenever the call returned and where, with `needs_result`, the result is still known.  Stepped
// places count if there is no better.  With `needs_memory`, the caller has written nothing yet.  Nothing, with the
// reason in `why`, if no breakpoint can stand there.
[[nodiscard]] std::optional<Place> place_behind_call(Decoder& decoder, std::span<const std::uint8_t> code,
                                                     LinkAddress return_address, std::span<const LinkAddress> targets,
                                                     bool needs_result, bool needs_memory, std::string& why);

// A place that stands for another one: hit whenever that is hit, and never else.
struct Moved {
  Place place;
  // That holds if nothing outside of the function jumps behind `from` and no further than to `to`.
  LinkAddress from{};
  LinkAddress to{};
};

struct EntryWish {
  std::uint16_t registers = every_register;  // see FileRequest::entry_registers; rsp among them: it has not moved
  bool memory = true;                        // memory is still as it was at the call
  bool exits = false;                        // the exits are probed as well: two sites do not share one place
};

// The cheapest place for the entry of the function whose stretches and `code` are given; nothing if that is its first
// instruction.  `frames` may be null: the file has no call-frame information.
[[nodiscard]] std::optional<Moved> place_entry(Decoder& decoder, std::span<const Stretch> stretches, const Exits& code,
                                               const EntryWish& wish, const CallFrames* frames);

// The check for room on the stack that a function of Go begins with: if there is too little, it jumps to a block that
// calls for more and then begins the function again, which must not count twice.
struct StackCheck {
  Moved entry;
  LinkAddress again{};  // the jump back to the first instruction; it is no exit
};
[[nodiscard]] std::optional<StackCheck> place_behind_stack_check(Decoder& decoder, std::span<const Stretch> stretches,
                                                                 const Exits& code, const EntryWish& wish);

struct ExitWish {
  bool memory = true;                           // memory is there as it is at the `ret`
  std::uint16_t result_words = every_register;  // and so are these: registers of the result but the first
};

// The cheapest place for a `ret` of the function; nothing if that is the `ret` itself.
[[nodiscard]] std::optional<Moved> place_return(Decoder& decoder, std::span<const Stretch> stretches, const Exits& code,
                                                const Exit& exit, const ExitWish& wish, const CallFrames* frames);

}  // namespace diagnose::target
