// Which registers and which memory hold the arguments when a function is called, and its result when it returns, by the
// types alone: the System V ABI for x86-64 (3.2.3; its C++ part is the Itanium C++ ABI, 3.1) for C and C++, Go's
// ABIInternal (go/src/cmd/compile/abi-internal.md), and what of Rust's convention has been the same in all releases.
// For code that the debug information does not describe at its entry.  What is not sure is not told.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "target/debug_info.h"
#include "target/dwarf_die.h"

namespace diagnose::target {

// Where one value is.
struct Passed {
  std::vector<Piece> pieces;  // of an argument on the stack, based on rsp as it is at the entry
  std::string why;            // if there are no pieces; both empty: a type without a value (an empty class)
};

[[nodiscard]] Passed not_told(std::string why);

struct CallPlan {
  std::vector<Passed> arguments;  // as the parameters, in their order
  std::vector<Passed> results;    // where they are at a `ret`; empty for void
};

// By the language of the function's unit.  `parameters`: the types of what is really passed, `this` included;
// `results`: nothing for void, more than one in Go.
[[nodiscard]] CallPlan plan_call(int language, const std::vector<std::optional<Dwarf_Die>>& parameters,
                                 const std::vector<Dwarf_Die>& results);

// How a value of a type travels (System V ABI 3.2.3, "Classification").
struct Classified {
  enum class Word { none, integer, sse };
  enum class Kind {
    words,         // one or two eightbytes, each in a register of its class
    memory,        // on the stack; a result in memory that the caller gives
    by_reference,  // C++: the address of a copy
    x87,           // a result in %st(0), an argument on the stack
    empty,         // nothing is passed
    unknown,       // depends on what the debug information does not tell
  };
  Kind kind = Kind::unknown;
  std::vector<Word> words;
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 8;  // bytes
};
[[nodiscard]] Classified classify_system_v(std::optional<Dwarf_Die> type, bool cpp);

// The parts of a value in a general register, in an xmm register, in memory at base + offset.
[[nodiscard]] Piece in_register(std::uint8_t base, std::uint64_t bytes);
[[nodiscard]] Piece in_vector(std::size_t number, std::uint64_t bytes);
[[nodiscard]] Piece in_memory(std::uint8_t base, std::uint64_t offset, std::uint64_t bytes);

// Go's and Rust's; for plan_call().
[[nodiscard]] CallPlan plan_go_call(const std::vector<std::optional<Dwarf_Die>>& parameters,
                                    const std::vector<Dwarf_Die>& results);
[[nodiscard]] CallPlan plan_rust_call(const std::vector<std::optional<Dwarf_Die>>& parameters,
                                      const std::vector<Dwarf_Die>& results);

}  // namespace diagnose::target
