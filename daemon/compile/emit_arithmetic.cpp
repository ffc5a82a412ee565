#include <algorithm>
#include <array>
#include <cstddef>

#include "compile/check_arithmetic.h"
#include "compile/emit_expression.h"

namespace diagnose::compile {
namespace {

// The deepest temporary that a computation may start at: it uses up to three above.
constexpr std::size_t deepest = 2;

bool is_immediate(const Typed& node) {
  return node.op == Op::constant && fits_immediate(node.value);
}

bool is_commutative(Op op) {
  return op == Op::add || op == Op::multiply || op == Op::bit_and || op == Op::bit_or || op == Op::bit_xor ||
         op == Op::minimum || op == Op::maximum;
}

std::uint8_t alu_of(Op op) {
  switch (op) {
    case Op::add:
      return BPF_ADD;
    case Op::subtract:
      return BPF_SUB;
    case Op::multiply:
      return BPF_MUL;
    case Op::divide:
      return BPF_DIV;
    case Op::modulo:
      return BPF_MOD;
    case Op::bit_and:
      return BPF_AND;
    case Op::bit_or:
      return BPF_OR;
    default:
      return BPF_XOR;
  }
}

// How many temporaries `node` takes at once (Sethi and Ullman 1970): the needier side goes first, so that an expression
// of n operands needs about log2(n).
unsigned need_of(const Typed& node) {
  if (node.children.empty()) return 1;
  unsigned first = 0;
  unsigned second = 0;
  for (const TypedPtr& child : node.children) {
    const unsigned need = need_of(*child);
    second = std::max(second, std::min(first, need));
    first = std::max(first, need);
  }
  return first == second ? first + 1 : first;
}

void floor_of(Assembler& code, const std::vector<std::uint64_t>& values, std::size_t low, std::size_t high,
              std::array<Register, 3> registers, Assembler::Label done) {
  const auto [of, to, scratch] = registers;
  if (low == high) {
    code.constant(to, static_cast<std::int64_t>(values[low]));
    return code.jump(done);
  }
  const std::size_t middle = (low + high + 1) / 2;
  const Assembler::Label upper = code.label();
  const auto value = static_cast<std::int64_t>(values[middle]);
  if (fits_immediate(value)) {
    code.jump_if_constant(BPF_JGE, of, static_cast<std::int32_t>(value), upper);
  } else {
    code.constant(scratch, value);
    code.jump_if(BPF_JGE, of, scratch, upper);
  }
  floor_of(code, values, low, middle - 1, registers, done);
  code.bind(upper);
  floor_of(code, values, middle, high, registers, done);
}

// Leaves the largest of `values` (ascending, values[0] == 0) that is not above `of` in `to`.
void emit_floor_of(Assembler& code, const std::vector<std::uint64_t>& values, Register of, Register to,
                   Register scratch) {
  const Assembler::Label done = code.label();
  floor_of(code, values, 0, values.size() - 1, {of, to, scratch}, done);
  code.bind(done);
}

}  // namespace

bool is_leaf(const Typed& node) {
  switch (node.op) {
    case Op::constant:
    case Op::argument:
    case Op::elapsed:
    case Op::start:
      return true;
    case Op::saved:
      return node.null_slot < 0;
    case Op::result:
      return node.value == 0;
    default:
      return false;
  }
}

std::uint8_t jump_of(Op op, bool is_signed) {
  switch (op) {
    case Op::equal:
      return BPF_JEQ;
    case Op::unequal:
      return BPF_JNE;
    case Op::less:
      return is_signed ? BPF_JSLT : BPF_JLT;
    case Op::less_equal:
      return is_signed ? BPF_JSLE : BPF_JLE;
    case Op::greater:
      return is_signed ? BPF_JSGT : BPF_JGT;
    default:
      return is_signed ? BPF_JSGE : BPF_JGE;
  }
}

ExpressionEmitter::Operands ExpressionEmitter::operands(const Typed& left, const Typed& right, std::size_t depth,
                                                        bool immediate) {
  if (immediate && is_immediate(right)) {
    value(left, depth);
    return {temporary(depth), 0, true, static_cast<std::int32_t>(right.value)};
  }
  const bool left_calls = needs_of(left).calls;
  const bool right_calls = needs_of(right).calls;
  const bool right_first = left_calls != right_calls ? right_calls : need_of(right) > need_of(left);
  const Typed& first = right_first ? right : left;
  const Typed& second = right_first ? left : right;
  value(first, depth);
  if (needs_of(second).calls || (depth >= deepest && !is_leaf(second))) {
    if (spilled_ >= spills_max) {
      stack_is_full_ = true;
      return {};
    }
    const std::int32_t place = -work_bytes - 8 * static_cast<std::int32_t>(++spilled_);
    code_.store(BPF_REG_10, place, temporary(depth));
    value(second, depth);
    code_.move(temporary(depth + 1), temporary(depth));
    code_.load(temporary(depth), BPF_REG_10, place, 8);
    --spilled_;
  } else {
    value(second, depth + 1);
  }
  const Register a = temporary(depth);
  const Register b = temporary(depth + 1);
  return right_first ? Operands{b, a} : Operands{a, b};
}

void ExpressionEmitter::arithmetic(const Typed& node, std::size_t depth) {
  const Typed* left = node.children[0].get();
  const Typed* right = node.children[1].get();
  const bool swaps = is_commutative(node.op);
  if (swaps && left->op == Op::constant) std::swap(left, right);
  Operands at = operands(*left, *right, depth, true);
  const std::uint8_t op = alu_of(node.op);
  if (at.is_immediate) {
    code_.alu_constant(op, at.left, at.immediate);
  } else {
    if (swaps && at.left != temporary(depth)) std::swap(at.left, at.right);
    code_.alu(op, at.left, at.right);
  }
  code_.move(temporary(depth), at.left);
  const bool stays = node.op == Op::bit_and || node.op == Op::bit_or || node.op == Op::bit_xor;
  if (!stays) wrap(temporary(depth), node.type);
}

void ExpressionEmitter::shift(const Typed& node, std::size_t depth) {
  const Typed& count = *node.children[1];
  const std::int32_t mask = 8 * node.type.bytes - 1;
  std::uint8_t op = BPF_LSH;
  if (node.op == Op::shift_right) op = node.type.is_signed ? BPF_ARSH : BPF_RSH;
  const Register to = temporary(depth);
  if (count.op == Op::constant) {
    value(*node.children[0], depth);
    code_.alu_constant(op, to, static_cast<std::int32_t>(count.value & mask));
  } else {
    const Operands at = operands(*node.children[0], count, depth, false);
    code_.alu_constant(BPF_AND, at.right, mask);
    code_.alu(op, at.left, at.right);
    code_.move(to, at.left);
  }
  if (node.op == Op::shift_left) wrap(to, node.type);
}

void ExpressionEmitter::absolute(Register of) {
  const Assembler::Label done = code_.label();
  code_.jump_if_constant(BPF_JSGE, of, 0, done);
  code_.negate(of);
  code_.bind(done);
}

// BPF divides without sign before cpu v4 (Linux 6.6), so signs are taken off and put back.
void ExpressionEmitter::divide_by_constant(const Typed& node, std::size_t depth) {
  const Register to = temporary(depth);
  const auto divisor = static_cast<std::int32_t>(node.children[1]->value);
  value(*node.children[0], depth);
  if (!node.type.is_signed) return code_.alu_constant(alu_of(node.op), to, divisor);
  const Register sign = temporary(depth + 1);
  const Assembler::Label done = code_.label();
  code_.move(sign, to);
  absolute(to);
  code_.alu_constant(alu_of(node.op), to, divisor);
  code_.jump_if_constant(BPF_JSGE, sign, 0, done);
  code_.negate(to);
  code_.bind(done);
}

void ExpressionEmitter::divide(const Typed& node, std::size_t depth) {
  const Typed& divisor = *node.children[1];
  if (is_immediate(divisor) && divisor.value > 0) return divide_by_constant(node, depth);
  const Operands at = operands(*node.children[0], divisor, depth, false);
  const std::uint8_t op = alu_of(node.op);
  if (divisor.op != Op::constant) code_.jump_if_constant(BPF_JEQ, at.right, 0, null_);
  if (!node.type.is_signed) {
    code_.alu(op, at.left, at.right);
    return code_.move(temporary(depth), at.left);
  }
  const Register sign = temporary(depth + 2);
  const Assembler::Label done = code_.label();
  code_.move(sign, at.left);
  if (node.op == Op::divide) code_.alu(BPF_XOR, sign, at.right);  // a remainder has the dividend's sign
  absolute(at.left);
  absolute(at.right);
  code_.alu(op, at.left, at.right);
  code_.jump_if_constant(BPF_JSGE, sign, 0, done);
  code_.negate(at.left);
  code_.bind(done);
  code_.move(temporary(depth), at.left);
  wrap(temporary(depth), node.type);  // INT_MIN / -1
}

void ExpressionEmitter::extreme(const Typed& node, std::size_t depth) {
  const Typed* left = node.children[0].get();
  const Typed* right = node.children[1].get();
  if (left->op == Op::constant) std::swap(left, right);
  const Operands at = operands(*left, *right, depth, true);
  const std::uint8_t keeps = jump_of(node.op == Op::minimum ? Op::less_equal : Op::greater_equal, node.type.is_signed);
  const Assembler::Label done = code_.label();
  if (at.is_immediate) {
    code_.jump_if_constant(keeps, at.left, at.immediate, done);
    code_.constant(at.left, at.immediate);
  } else {
    code_.jump_if(keeps, at.left, at.right, done);
    code_.move(at.left, at.right);
  }
  code_.bind(done);
  code_.move(temporary(depth), at.left);
}

void ExpressionEmitter::top_bit(Register of, Register scratch) {
  const auto fold = [&](std::uint8_t op, std::int32_t by) {
    code_.move(scratch, of);
    code_.alu_constant(BPF_RSH, scratch, by);
    code_.alu(op, of, scratch);
  };
  for (const std::int32_t by : {1, 2, 4, 8, 16, 32}) fold(BPF_OR, by);
  fold(BPF_XOR, 1);
}

void ExpressionEmitter::magnitude(const Typed& node, std::size_t depth) {
  const Register of = temporary(depth);
  const Register positive = temporary(depth + 1);
  const Register power = temporary(depth + 2);
  const Register scratch = temporary(depth + 3);
  const bool is_signed = node.type.is_signed;
  value(*node.children[0], depth);
  code_.move(positive, of);
  if (is_signed) absolute(positive);
  const auto base = static_cast<std::uint64_t>(node.value);
  if (base == 2) {
    top_bit(positive, scratch);
    code_.move(power, positive);
  } else {
    const unsigned bits = 8U * node.type.bytes - (is_signed ? 1U : 0U);
    const std::uint64_t most = is_signed ? std::uint64_t{1} << bits : ~std::uint64_t{0} >> (64U - bits);
    std::vector<std::uint64_t> values = {0, 1};
    while (values.back() <= most / base) values.push_back(values.back() * base);
    emit_floor_of(code_, values, positive, power, scratch);
  }
  if (is_signed) {
    const Assembler::Label done = code_.label();
    code_.jump_if_constant(BPF_JSGE, of, 0, done);
    code_.negate(power);
    code_.bind(done);
  }
  code_.move(of, power);
}

}  // namespace diagnose::compile
