// x86-64 instructions: where they begin, what the kernel makes of a breakpoint on them, and where they may go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "target/answer.h"

namespace diagnose::target {

// How control leaves an instruction.
enum class Flow {
  next,
  call,
  ret,
  jump,
  conditional,
  counted,
  indirect,
  stop
};  // counted: loop, jrcxz; stop: ud2, hlt

struct Instruction {
  LinkAddress address{};
  std::uint8_t length = 0;              // bytes
  std::span<const std::uint8_t> bytes;  // within the code that was decoded
  Flow flow = Flow::next;
  LinkAddress target{};  // of call, jump, conditional, counted
  Tail tail;             // of jump, conditional, indirect
  bool notrack = false;  // DS prefix on an indirect jump
  bool nop = false;
};

// One capstone handle.  Not for two threads at once.
class Decoder {
 public:
  [[nodiscard]] static Result<Decoder> make();

  // The instruction at the start of `code`, which stands at `address`; nothing if it is none.
  [[nodiscard]] std::optional<Instruction> decode(std::span<const std::uint8_t> code, LinkAddress address);
  // AT&T syntax: "push %rbp".
  [[nodiscard]] std::string text(const Instruction& instruction);

 private:
  struct Handle;
  struct Close {
    void operator()(Handle* handle) const;
  };
  explicit Decoder(std::unique_ptr<Handle, Close> handle) : handle_(std::move(handle)) {}
  std::unique_ptr<Handle, Close> handle_;
};

// How the kernel executes the instruction under a breakpoint, from Linux 6.18 on; earlier kernels step more of the
// longer nops.  `entry`: the first instruction of a function, where a 5-byte nop may be optimised.
[[nodiscard]] Cost cost(const Instruction& instruction, bool entry);

// Linux 6.18 writes a call over a nop of this length once it has a breakpoint, and the call overwrites what the
// function keeps below rsp (its red zone): only for the first instruction of a function.
[[nodiscard]] bool becomes_call(const Instruction& instruction);

// Why no breakpoint may stand on the instruction, or nothing.  Covers what the kernel refuses
// (arch/x86/kernel/uprobes.c, uprobe_init_insn) and what it accepts and then executes wrongly.
[[nodiscard]] std::optional<std::string> refusal(const Instruction& instruction);

}  // namespace diagnose::target
