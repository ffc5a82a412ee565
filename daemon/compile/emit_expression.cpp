#include "compile/emit_expression.h"

#include <algorithm>
#include <asm/ptrace.h>
#include <cstddef>
#include <cstring>

#include "bpf/contract.h"
#include "compile/check_arithmetic.h"

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

}  // namespace

Needs operator|(const Needs& a, const Needs& b) {
  return {a.calls || b.calls, a.ctx || b.ctx, a.frame || b.frame, a.ledger || b.ledger};
}

Needs needs_of(const Typed& value) {
  Needs needs;
  switch (value.op) {
    case Op::argument:
      needs.ctx = true;
      break;
    case Op::saved:
    case Op::result:
    case Op::elapsed:
    case Op::error:
    case Op::start:
      needs.frame = true;
      break;
    case Op::now:
    case Op::pid:
    case Op::tid:
    case Op::uid:
    case Op::cpu:
    case Op::comm:
      needs.calls = true;
      break;
    case Op::read:
    case Op::string:
      needs.calls = needs.ledger = true;
      break;
    default:
      break;
  }
  for (const TypedPtr& child : value.children) needs = needs | needs_of(*child);
  return needs;
}

std::int32_t register_offset(std::uint8_t encoding) {
  static constexpr std::array<std::int32_t, 16> offsets = {
      offsetof(pt_regs, rax), offsetof(pt_regs, rcx), offsetof(pt_regs, rdx), offsetof(pt_regs, rbx),
      offsetof(pt_regs, rsp), offsetof(pt_regs, rbp), offsetof(pt_regs, rsi), offsetof(pt_regs, rdi),
      offsetof(pt_regs, r8),  offsetof(pt_regs, r9),  offsetof(pt_regs, r10), offsetof(pt_regs, r11),
      offsetof(pt_regs, r12), offsetof(pt_regs, r13), offsetof(pt_regs, r14), offsetof(pt_regs, r15)};
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
    case Op::result:
      if (node.value != 0) return result_or_null(to);
      return leaf_load(to, node);
    case Op::error:
      // One more and a shift: of enum outcome's 1, 2, 3 only OUTCOME_ERROR, the 3, makes 1.
      code_.load(to, registers_.frame, offsetof(frame, outcome), 4);
      code_.alu_constant(BPF_ADD, to, 1);
      return code_.alu_constant(BPF_RSH, to, 2);
    case Op::constant:
    case Op::argument:
    case Op::saved:
    case Op::elapsed:
    case Op::start:
      return leaf_load(to, node);
    case Op::now:
    case Op::pid:
    case Op::tid:
    case Op::uid:
    case Op::cpu:
      return helper_value(node, to);
    case Op::read:
      return read(node, to);
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
      return code_.load(to, registers_.frame,
                        static_cast<std::int32_t>(sizeof(frame) + 8 * static_cast<std::size_t>(node.value)), 8);
  }
}

// At an end that may be an error.
void ExpressionEmitter::result_or_null(Register to) {
  code_.load(to, registers_.frame, offsetof(frame, outcome), 4);
  code_.jump_if_constant(BPF_JEQ, to, OUTCOME_ERROR, null_);
  code_.load(to, registers_.frame, offsetof(frame, result), 8);
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
  address(*node.children[0]);
  code_.move(BPF_REG_1, BPF_REG_10);
  code_.alu_constant(BPF_ADD, BPF_REG_1, place);
  code_.constant(BPF_REG_2, node.type.bytes);
  code_.call(BpfCall::probe_read_user);
  code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
  code_.load(to, BPF_REG_10, place, node.type.bytes);
  if (node.type.kind == TypeKind::boolean) {
    const Assembler::Label done = code_.label();
    code_.jump_if_constant(BPF_JEQ, to, 0, done);
    code_.constant(to, 1);
    code_.bind(done);
  } else if (node.type.is_signed && node.type.bytes < 8) {
    cut(to, node.type);
  }
}

void ExpressionEmitter::zero(Register base, std::int32_t offset, std::uint32_t size) {
  for (std::uint32_t at = 0; at < size; at += 8) code_.store_constant(base, offset + static_cast<std::int32_t>(at), 0);
}

void ExpressionEmitter::text(const Typed& node, Register base, std::int32_t offset, std::uint32_t size) {
  const bool is_comm = node.op == Op::comm;
  if (node.op == Op::null_) return code_.jump(null_);
  if (!is_comm) address(*node.children[0]);
  zero(base, offset, size);
  code_.move(BPF_REG_1, base);
  if (offset != 0) code_.alu_constant(BPF_ADD, BPF_REG_1, offset);
  code_.constant(BPF_REG_2, size);
  code_.call(is_comm ? BpfCall::get_current_comm : BpfCall::probe_read_user_str);
  if (!is_comm) code_.jump_if_constant(BPF_JSLT, BPF_REG_0, 0, unreadable_);
}

void ExpressionEmitter::compare_text(const Typed& node, bool when, Assembler::Label target) {
  const Typed& left = *node.children[0];
  const std::string& literal = node.text;
  // One character more than the literal has, and a NUL: enough to see that the target's text is longer.
  auto size = static_cast<std::uint32_t>((literal.size() + 2 + 7) & ~std::size_t{7});
  if (left.op == Op::comm || size > left.type.text_bytes) size = left.type.text_bytes;
  const std::int32_t place = -static_cast<std::int32_t>(size);
  text(left, BPF_REG_10, place, size);
  const bool jump_if_equal = (node.op == Op::text_equal) == when;
  const Assembler::Label behind = code_.label();
  const Assembler::Label differs = jump_if_equal ? behind : target;
  // Bytes behind the literal's NUL are zero only if the target's text ends there as well, or was cut exactly there.
  for (std::uint32_t at = 0; at < size; at += 8) {
    std::int64_t word = 0;
    if (at < literal.size()) std::memcpy(&word, literal.data() + at, std::min<std::size_t>(8, literal.size() - at));
    code_.load(BPF_REG_1, BPF_REG_10, place + static_cast<std::int32_t>(at), 8);
    if (fits_immediate(word)) {
      code_.jump_if_constant(BPF_JNE, BPF_REG_1, static_cast<std::int32_t>(word), differs);
    } else {
      code_.constant(BPF_REG_2, word);
      code_.jump_if(BPF_JNE, BPF_REG_1, BPF_REG_2, differs);
    }
  }
  if (jump_if_equal) code_.jump(target);
  code_.bind(behind);
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
    case Op::text_equal:
    case Op::text_unequal:
      return compare_text(node, when, target);
    default:
      break;
  }
  value(node, depth);
  code_.jump_if_constant(when ? BPF_JNE : BPF_JEQ, temporary(depth), 0, target);
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
