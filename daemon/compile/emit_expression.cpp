#include "compile/emit_expression.h"

#include <algorithm>
#include <asm/ptrace.h>
#include <cstddef>

#include "bpf/contract.h"
#include "compile/check_arithmetic.h"
#include "compile/kernel_types.h"

namespace diagnose::compile {
namespace {

static_assert(OUTCOME_RETURNED == 1 && OUTCOME_RESULT_UNKNOWN == 2 && OUTCOME_ERROR == 3);

Op mirrored(Op op) {
  switch (op) {
    case Op::less:
      return Op::greater;
    case Op::less_equal:
      return Op::greater_equal;
    case Op::greater:
      return Op::less;
    case Op::greater_equal:
      return Op::less_equal;
    default:
      return op;
  }
}

Op negated(Op op) {
  switch (op) {
    case Op::equal:
      return Op::unequal;
    case Op::unequal:
      return Op::equal;
    case Op::less:
      return Op::greater_equal;
    case Op::less_equal:
      return Op::greater;
    case Op::greater:
      return Op::less_equal;
    default:
      return Op::less;
  }
}

std::int32_t slot_offset(std::int64_t slot) {
  return static_cast<std::int32_t>(sizeof(frame) + 8 * static_cast<std::size_t>(slot));
}

}  // namespace

Needs operator|(const Needs& a, const Needs& b) {
  return {a.calls || b.calls, a.ctx || b.ctx, a.frame || b.frame, a.ledger || b.ledger};
}

Needs needs_of(const Typed& value) {
  Needs needs;
  switch (value.op) {
    case Op::argument:
    case Op::result_word:
      needs.ctx = true;
      break;
    case Op::saved:
    case Op::result:
    case Op::elapsed:
    case Op::error:
    case Op::depth:
    case Op::start:
      needs.frame = true;
      break;
    case Op::now:
    case Op::pid:
    case Op::tid:
    case Op::uid:
    case Op::cpu:
    case Op::cgroup:
    case Op::comm:
    case Op::exe:
      needs.calls = true;
      break;
    case Op::stack:
      needs.calls = needs.ctx = needs.ledger = true;
      break;
    case Op::placed:
    case Op::read:
    case Op::string:
    case Op::laid_out_text:
    case Op::counted_text:
    case Op::text_length:
      needs.calls = needs.ledger = true;
      break;
    default:
      break;
  }
  for (const TypedPtr& child : value.children) needs = needs | needs_of(*child);
  return needs;
}

std::int32_t register_offset(std::uint8_t encoding) {
  static constexpr std::array<std::int32_t, 17> offsets = {
      offsetof(pt_regs, rax), offsetof(pt_regs, rcx), offsetof(pt_regs, rdx), offsetof(pt_regs, rbx),
      offsetof(pt_regs, rsp), offsetof(pt_regs, rbp), offsetof(pt_regs, rsi), offsetof(pt_regs, rdi),
      offsetof(pt_regs, r8),  offsetof(pt_regs, r9),  offsetof(pt_regs, r10), offsetof(pt_regs, r11),
      offsetof(pt_regs, r12), offsetof(pt_regs, r13), offsetof(pt_regs, r14), offsetof(pt_regs, r15),
      offsetof(pt_regs, rip)};
  return offsets[encoding];
}

Registers Registers::of(bool calls) {
  if (!calls) return {};
  return {
      BPF_REG_6, BPF_REG_7, BPF_REG_8, BPF_REG_9, {BPF_REG_0, BPF_REG_1, BPF_REG_2, BPF_REG_3, BPF_REG_4, BPF_REG_5}};
}

void ExpressionEmitter::value(const Typed& node, std::size_t depth) {
  const Register to = temporary(depth);
  switch (node.op) {
    case Op::null_:
      return code_.jump(null_);
    case Op::result_word:
      return result_word(to, node);
    case Op::result:
      if (node.value != 0) return result_or_null(to, node);
      return leaf_load(to, node);
    case Op::error:
      // One more and a shift: of enum outcome's 1, 2, 3 only OUTCOME_ERROR, the 3, makes 1.
      code_.load(to, registers_.frame, offsetof(frame, outcome), 4);
      code_.alu_constant(BPF_ADD, to, 1);
      return code_.alu_constant(BPF_RSH, to, 2);
    case Op::depth:
      code_.load(to, registers_.frame, offsetof(frame, depth), 2);
      return code_.jump_if_constant(BPF_JEQ, to, DEPTH_UNKNOWN, null_);
    case Op::saved:
      if (node.null_slot >= 0) return saved_or_null(node, to);
      return leaf_load(to, node);
    case Op::constant:
    case Op::argument:
    case Op::elapsed:
    case Op::start:
      return leaf_load(to, node);
    case Op::now:
    case Op::pid:
    case Op::tid:
    case Op::uid:
    case Op::cpu:
    case Op::cgroup:
      return helper_value(node, to);
    case Op::placed:
      return placed(node, to);
    case Op::read:
      return read(node, to);
    case Op::bits:
      return bits(node, depth);
    case Op::text_length:
      return text_length(node, to);
    case Op::convert:
      return convert(node, depth);
    case Op::negate:
    case Op::complement:
      value(*node.children[0], depth);
      if (node.op == Op::negate) code_.negate(to);
      if (node.op == Op::complement) code_.alu_constant(BPF_XOR, to, -1);
      return wrap(to, node.type);
    case Op::absolute:
      value(*node.children[0], depth);
      absolute(to);
      return wrap(to, node.type);
    case Op::magnitude:
      return magnitude(node, depth);
    case Op::choose:
      return choose(node, depth);
    case Op::shift_left:
    case Op::shift_right:
      return shift(node, depth);
    case Op::divide:
    case Op::modulo:
      return divide(node, depth);
    case Op::minimum:
    case Op::maximum:
      return extreme(node, depth);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::bit_and:
    case Op::bit_or:
    case Op::bit_xor:
      return arithmetic(node, depth);
    default:
      return truth_value(node, depth);
  }
}

void ExpressionEmitter::leaf_load(Register to, const Typed& node) {
  switch (node.op) {
    case Op::constant:
      return code_.constant(to, node.value);
    case Op::argument:
      return code_.load(to, registers_.ctx, register_offset(static_cast<std::uint8_t>(node.value)), 8);
    case Op::result:
      return code_.load(to, registers_.frame, offsetof(frame, result), 8);
    case Op::elapsed:
      return code_.load(to, registers_.frame, offsetof(frame, elapsed_ns), 8);
    case Op::start:
      return code_.load(to, registers_.frame, offsetof(frame, start_ns), 8);
    default:
      return code_.load(to, registers_.frame, slot_offset(node.value), 8);
  }
}

// At an end that may be an error.
void ExpressionEmitter::result_or_null(Register to, const Typed& node) {
  code_.load(to, registers_.frame, offsetof(frame, outcome), 4);
  code_.jump_if_constant(BPF_JEQ, to, OUTCOME_ERROR, null_);
  leaf_load(to, node);
}

// Calls that were left by an error have no registers to look at; where the end is a return there are some.
void ExpressionEmitter::result_word(Register to, const Typed& node) {
  code_.jump_if_constant(BPF_JEQ, registers_.ctx, 0, null_);
  code_.load(to, registers_.ctx, register_offset(node.count), 8);
}

void ExpressionEmitter::saved_or_null(const Typed& node, Register to) {
  code_.load(to, registers_.frame, slot_offset(node.null_slot), 8);
  code_.jump_if_constant(BPF_JSET, to, static_cast<std::int32_t>(1U << static_cast<unsigned>(node.value)), null_);
  leaf_load(to, node);
}

void ExpressionEmitter::helper_value(const Typed& node, Register to) {
  switch (node.op) {
    case Op::now:
      code_.call(BpfCall::ktime_get_ns);
      break;
    case Op::uid:
      code_.call(BpfCall::get_current_uid_gid);
      break;
    case Op::cpu:
      code_.call(BpfCall::get_smp_processor_id);
      break;
    case Op::cgroup:
      code_.call(BpfCall::get_current_cgroup_id);
      break;
    default:
      code_.call(BpfCall::get_current_pid_tgid);
      break;
  }
  if (node.op == Op::pid) code_.alu_constant(BPF_RSH, BPF_REG_0, 32);
  if (node.op == Op::tid || node.op == Op::uid || node.op == Op::cpu) code_.low_word(BPF_REG_0);
  code_.move(to, BPF_REG_0);
}

// A value into r3, where the reading helpers want their address.  Nothing else is live.
void ExpressionEmitter::address(const Typed& node) {
  if (is_leaf(node)) return leaf_load(BPF_REG_3, node);
  value(node, 0);
  code_.move(BPF_REG_3, temporary(0));
}

void ExpressionEmitter::read(const Typed& node, Register to) {
  constexpr std::int32_t place = -8;
  const std::uint8_t bytes = node.type.bytes;
  const bool whole = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  address(*node.children[0]);
  if (!whole) code_.store_constant(BPF_REG_10, place, 0);
  code_.move(BPF_REG_1, BPF_REG_10);
  code_.alu_constant(BPF_ADD, BPF_REG_1, place);
  code_.constant(BPF_REG_2, bytes);
  code_.call(BpfCall::probe_read_user);
  code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
  code_.load(to, BPF_REG_10, place, whole ? bytes : 8);
  if (node.type.kind == TypeKind::boolean) {
    const Assembler::Label done = code_.label();
    code_.jump_if_constant(BPF_JEQ, to, 0, done);
    code_.constant(to, 1);
    code_.bind(done);
  } else if (node.type.is_signed && node.type.bytes < 8) {
    cut(to, node.type);
  }
}

// The kernel gives a process new memory when it executes a program, laid out at random.
void ExpressionEmitter::placed(const Typed& node, Register to) {
  constexpr std::int32_t place = -8;
  const auto way = way_to_layout();
  if (!way) return code_.jump(unreadable_);
  code_.call(BpfCall::get_current_task);
  code_.move(BPF_REG_3, BPF_REG_0);
  for (const std::uint32_t further : *way) {
    code_.alu_constant(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(further));
    code_.move(BPF_REG_1, BPF_REG_10);
    code_.alu_constant(BPF_ADD, BPF_REG_1, place);
    code_.constant(BPF_REG_2, 8);
    code_.call(BpfCall::probe_read_kernel);
    code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
    code_.load(BPF_REG_3, BPF_REG_10, place, 8);
  }
  code_.constant(BPF_REG_1, node.children[0]->value);
  code_.jump_if(BPF_JNE, BPF_REG_3, BPF_REG_1, unreadable_);
  code_.constant(to, node.value);
}

// A bit-field, out of the word that it is in.
void ExpressionEmitter::bits(const Typed& node, std::size_t depth) {
  const Register to = temporary(depth);
  value(*node.children[0], depth);
  const std::int32_t above = 64 - static_cast<std::int32_t>(node.value) - node.count;
  if (above > 0) code_.alu_constant(BPF_LSH, to, above);
  const std::int32_t unused = 64 - node.count;
  if (unused > 0) code_.alu_constant(node.type.is_signed ? BPF_ARSH : BPF_RSH, to, unused);
}

// After an operation whose result may not fit in 32 bits.
void ExpressionEmitter::wrap(Register value, const Type& type) {
  if (type.kind == TypeKind::integer && type.bytes == 4) cut(value, type);
}

// Any 64 bits to the canonical form of `type`.
void ExpressionEmitter::cut(Register value, const Type& type) {
  const std::int32_t unused = 64 - 8 * type.bytes;
  if (unused == 0) return;
  if (type.is_signed) {
    code_.alu_constant(BPF_LSH, value, unused);
    code_.alu_constant(BPF_ARSH, value, unused);
  } else if (type.bytes == 4) {
    code_.low_word(value);
  } else {
    code_.alu_constant(BPF_AND, value, type.bytes == 1 ? 0xff : 0xffff);
  }
}

void ExpressionEmitter::convert(const Typed& node, std::size_t depth) {
  const Typed& from = *node.children[0];
  value(from, depth);
  if (extends(from.type, node.type)) return;
  const Register to = temporary(depth);
  if (node.type.kind != TypeKind::boolean) return cut(to, node.type);
  const Assembler::Label done = code_.label();
  code_.jump_if_constant(BPF_JEQ, to, 0, done);
  code_.constant(to, 1);
  code_.bind(done);
}

void ExpressionEmitter::truth_value(const Typed& node, std::size_t depth) {
  const Register to = temporary(depth);
  const Assembler::Label no = code_.label();
  const Assembler::Label done = code_.label();
  branch(node, false, no, depth);
  code_.constant(to, 1);
  code_.jump(done);
  code_.bind(no);
  code_.constant(to, 0);
  code_.bind(done);
}

void ExpressionEmitter::choose(const Typed& node, std::size_t depth) {
  const Assembler::Label otherwise = code_.label();
  const Assembler::Label done = code_.label();
  branch(*node.children[0], false, otherwise, depth);
  value(*node.children[1], depth);
  code_.jump(done);
  code_.bind(otherwise);
  value(*node.children[2], depth);
  code_.bind(done);
}

void ExpressionEmitter::branch(const Typed& node, bool when, Assembler::Label target, std::size_t depth) {
  switch (node.op) {
    case Op::constant:
      if ((node.value != 0) == when) code_.jump(target);
      return;
    case Op::null_:
      return code_.jump(null_);
    case Op::not_:
      return branch(*node.children[0], !when, target, depth);
    case Op::and_:
    case Op::or_: {
      const bool decisive = node.op == Op::or_;  // the left side's truth that decides
      const Assembler::Label behind = code_.label();
      branch(*node.children[0], decisive, decisive == when ? target : behind, depth);
      branch(*node.children[1], when, target, depth);
      return code_.bind(behind);
    }
    case Op::convert:
      if (node.type.kind == TypeKind::boolean) return branch(*node.children[0], when, target, depth);
      break;
    case Op::equal:
    case Op::unequal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return compare(node, when, target, depth);
    case Op::is_null:
      return is_null(node, when, target, depth);
    case Op::text_equal:
    case Op::text_unequal:
    case Op::text_starts:
      return compare_text(node, when, target);
    default:
      break;
  }
  value(node, depth);
  code_.jump_if_constant(when ? BPF_JNE : BPF_JEQ, temporary(depth), 0, target);
}

void ExpressionEmitter::is_null(const Typed& node, bool when, Assembler::Label target, std::size_t depth) {
  const Typed& operand = *node.children[0];
  const Assembler::Label outer_null = null_;
  const Assembler::Label outer_unreadable = unreadable_;
  const Assembler::Label null = code_.label();
  const Assembler::Label unreadable = code_.label();
  const Assembler::Label no = code_.label();
  on_null(null, unreadable);
  value(operand, depth);
  on_null(outer_null, outer_unreadable);
  if (node.value != 0) code_.jump_if_constant(BPF_JEQ, temporary(depth), 0, null);
  code_.jump(when ? no : target);
  if (code_.is_used(unreadable)) {
    code_.bind(unreadable);
    code_.constant(temporary(depth), 1);
    code_.add_atomically(registers_.ledger, 8 * (static_cast<std::int32_t>(LEDGER_LOST_FIRST) + LOSS_UNREADABLE),
                         temporary(depth));
  }
  code_.bind(null);
  if (when) code_.jump(target);
  code_.bind(no);
}

void ExpressionEmitter::compare(const Typed& node, bool when, Assembler::Label target, std::size_t depth) {
  const Typed* left = node.children[0].get();
  const Typed* right = node.children[1].get();
  Op op = when ? node.op : negated(node.op);
  const bool is_signed = left->type.is_signed;
  if (left->op == Op::constant) {
    std::swap(left, right);
    op = mirrored(op);
  }
  const Operands at = operands(*left, *right, depth, true);
  const std::uint8_t jump = jump_of(op, is_signed);
  if (at.is_immediate) return code_.jump_if_constant(jump, at.left, at.immediate, target);
  code_.jump_if(jump, at.left, at.right, target);
}

}  // namespace diagnose::compile
