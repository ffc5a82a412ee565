// One typed expression -> instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "compile/assembler.h"
#include "compile/check.h"

namespace diagnose::compile {

// What an expression needs of the function that it is in.
struct Needs {
  bool calls = false;  // of helpers: r0-r5 do not survive them
  bool ctx = false;
  bool frame = false;
  bool ledger = false;  // something may be unreadable
};
[[nodiscard]] Needs needs_of(const Typed& value);
[[nodiscard]] Needs operator|(const Needs& a, const Needs& b);

// Where the function's arguments live, and which registers are free.
struct Registers {
  Register ctx = BPF_REG_1, frame = BPF_REG_2, out = BPF_REG_3, ledger = BPF_REG_4;
  std::array<Register, 6> temporaries = {BPF_REG_0, BPF_REG_5, BPF_REG_6, BPF_REG_7, BPF_REG_8, BPF_REG_9};

  // Without helper calls the arguments stay where they are; with them they move behind the calls' reach.
  [[nodiscard]] static Registers of(bool calls);
};

// Temporaries are a stack: `value(x, depth)` leaves x in temporary `depth` and may use those above it.  Helpers are
// called only while no temporary is in use; what must survive one is on the BPF stack.
class ExpressionEmitter {
 public:
  ExpressionEmitter(Assembler& code, const Registers& registers) : code_(code), registers_(registers) {}

  // Where the following expressions go when they are null, or unreadable (which is to be counted, and then null).
  void on_null(Assembler::Label null, Assembler::Label unreadable) {
    null_ = null;
    unreadable_ = unreadable;
  }

  void value(const Typed& node, std::size_t depth = 0);
  // Jumps to `target` if the truth of `node` is `when`; else falls through.
  void branch(const Typed& node, bool when, Assembler::Label target, std::size_t depth = 0);
  // A text into `size` bytes, a multiple of 8, at base + offset; the rest is zero.
  void text(const Typed& node, Register base, std::int32_t offset, std::uint32_t size);  // emit_text.cpp
  void stack(const Typed& node, Register base, std::int32_t offset, std::uint32_t size);
  // Has texts counted from here on that go on where their room ends, and marked (TEXT_TRUNCATED) if `mark`.
  void begin_truncated(bool mark);
  void add_truncated();  // to the ledger; uses r1
  void zero(Register base, std::int32_t offset, std::uint32_t size);

  [[nodiscard]] Register temporary(std::size_t depth) const { return registers_.temporaries[depth]; }
  [[nodiscard]] bool stack_is_full() const { return stack_is_full_; }

 private:
  struct Operands {
    Register left = 0, right = 0;
    bool is_immediate = false;  // the right one is `immediate`
    std::int32_t immediate = 0;
  };

  Operands operands(const Typed& left, const Typed& right, std::size_t depth, bool immediate);
  void leaf_load(Register to, const Typed& node);
  void result_or_null(Register to, const Typed& node);
  void result_word(Register to, const Typed& node);
  void helper_value(const Typed& node, Register to);
  void saved_or_null(const Typed& node, Register to);
  void placed(const Typed& node, Register to);
  void read(const Typed& node, Register to);
  void bits(const Typed& node, std::size_t depth);
  void is_null(const Typed& node, bool when, Assembler::Label target, std::size_t depth);
  void address(const Typed& node);  // into r3
  void truth_value(const Typed& node, std::size_t depth);
  void convert(const Typed& node, std::size_t depth);
  void choose(const Typed& node, std::size_t depth);
  void arithmetic(const Typed& node, std::size_t depth);
  void shift(const Typed& node, std::size_t depth);
  void divide(const Typed& node, std::size_t depth);
  void divide_by_constant(const Typed& node, std::size_t depth);
  void extreme(const Typed& node, std::size_t depth);
  void absolute(Register of);
  void magnitude(const Typed& node, std::size_t depth);
  void top_bit(Register of, Register scratch);
  void compare(const Typed& node, bool when, Assembler::Label target, std::size_t depth);

  // emit_text.cpp
  void compare_text(const Typed& node, bool when, Assembler::Label target);
  void differ(const std::string& literal, std::uint32_t size, bool whole, Assembler::Label differs);
  void counted(const Typed& node);   // the address of the characters into r3, their number into r2
  void laid_out(const Typed& node);  // likewise
  void text_length(const Typed& node, Register to);
  void literal(const std::string& characters, Register base, std::int32_t offset, std::uint32_t size);
  void executable(Register base, std::int32_t offset, std::uint32_t size);
  // A text of the target, or of the kernel, of which `size` bytes were read: is what follows them its NUL?
  void look_behind(BpfCall read, Register base, std::int32_t offset, std::uint32_t size);
  void truncated(Register base, std::int32_t offset, std::uint32_t size);

  void wrap(Register value, const Type& type);
  void cut(Register value, const Type& type);

  Assembler& code_;
  const Registers& registers_;
  Assembler::Label null_ = 0;
  Assembler::Label unreadable_ = 0;
  std::size_t spilled_ = 0;
  std::int32_t truncated_place_ = 0;  // on the stack: how many texts were; 0: they are not counted
  bool marks_truncated_ = false;
  bool stack_is_full_ = false;
};

// Where the register of this x86 encoding is in struct pt_regs.
[[nodiscard]] std::int32_t register_offset(std::uint8_t encoding);

// The BPF stack of an evaluation: `work_bytes` for what helpers write, then spilled values.  In all at most 200 bytes.
inline constexpr std::int32_t work_bytes = 64;
inline constexpr std::size_t spills_max = 17;

// Whether a text may go on behind `size` bytes, its NUL counted, with more than was asked for.
[[nodiscard]] bool may_be_truncated(const Typed& text, std::uint32_t size);

// A single load or constant.
[[nodiscard]] bool is_leaf(const Typed& node);
// The 64-bit jump of a comparison.
[[nodiscard]] std::uint8_t jump_of(Op op, bool is_signed);

}  // namespace diagnose::compile
