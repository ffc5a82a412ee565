// What one x86-64 instruction does to the general registers and to rsp.  Cautious: an instruction that is not known
// writes them all and memory, and loses rsp.
#pragma once

#include <cstdint>
#include <optional>

#include "target/code.h"

namespace diagnose::target {

[[nodiscard]] constexpr std::uint16_t register_bit(std::uint8_t number) {
  return number < 16 ? static_cast<std::uint16_t>(1U << number) : std::uint16_t{0};
}

struct Effects {
  // A plain 64-bit move from one register to another.
  struct Copy {
    std::uint8_t to = register_none;
    std::uint8_t from = register_none;
  };
  std::uint16_t writes = 0;             // bit = x86 encoding; any part of the register, rsp of push and pop not
  std::optional<std::int64_t> sp_move;  // bytes that are added to rsp; nothing: it may be anywhere
  std::optional<Copy> copy;
  std::optional<Copy> exchange;  // both ways
  bool stores = true;            // writes memory, but for what push and call put below rsp
};

[[nodiscard]] Effects effects(const Instruction& instruction);

// Whether it may take long or hand control to others before it ends: a system call, an interrupt, a repeated string
// instruction.  A place before it and one behind it are not the same moment.
[[nodiscard]] bool waits(const Instruction& instruction);

// Whether rsp is moved by a number or set from the frame pointer, if at all: what prologues and epilogues do.
[[nodiscard]] bool keeps_stack(const Instruction& instruction);

// Places that hold a copy of one register's first value, followed from instruction to instruction.
class Follow {
 public:
  explicit Follow(std::uint8_t start) : holders_(register_bit(start)) {}
  void step(const Effects& done);
  // The lowest register that still holds it; register_none: overwritten everywhere.
  [[nodiscard]] std::uint8_t where() const;

 private:
  std::uint16_t holders_;
};

}  // namespace diagnose::target
