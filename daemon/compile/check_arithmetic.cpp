#include "compile/check_arithmetic.h"

namespace diagnose::compile {
namespace {

std::optional<std::int64_t> divided(Op op, const Type& type, std::int64_t a, std::int64_t b) {
  if (b == 0) return std::nullopt;
  const auto ua = static_cast<std::uint64_t>(a);
  const auto ub = static_cast<std::uint64_t>(b);
  if (!type.is_signed) return static_cast<std::int64_t>(op == Op::divide ? ua / ub : ua % ub);
  if (b == -1) return op == Op::divide ? static_cast<std::int64_t>(0 - ua) : 0;  // INT64_MIN / -1 traps on x86
  return op == Op::divide ? a / b : a % b;
}

bool compared(Op op, bool is_signed, std::int64_t a, std::int64_t b) {
  const bool less = is_signed ? a < b : static_cast<std::uint64_t>(a) < static_cast<std::uint64_t>(b);
  switch (op) {
    case Op::equal:
      return a == b;
    case Op::unequal:
      return a != b;
    case Op::less:
      return less;
    case Op::less_equal:
      return less || a == b;
    case Op::greater:
      return !less && a != b;
    default:
      return !less;
  }
}

}  // namespace

bool same_number(const Type& a, const Type& b) {
  return a.kind == b.kind && a.bytes == b.bytes && a.is_signed == b.is_signed;
}

Type promoted(Type type) {
  if (type.kind != TypeKind::integer || type.bytes < 4) return int_type;
  type.is_time = false;
  return type;
}

Type common(Type a, Type b) {
  a = promoted(a);
  b = promoted(b);
  if (a.bytes != b.bytes) return a.bytes > b.bytes ? a : b;
  return a.is_signed ? b : a;
}

std::int64_t canonical(std::int64_t bits, const Type& type) {
  if (type.kind == TypeKind::boolean) return bits != 0 ? 1 : 0;
  if (type.bytes >= 8) return bits;
  const unsigned unused = 64U - 8U * type.bytes;
  const std::uint64_t high = static_cast<std::uint64_t>(bits) << unused;
  return type.is_signed ? static_cast<std::int64_t>(high) >> unused : static_cast<std::int64_t>(high >> unused);
}

bool extends(const Type& from, const Type& to) {
  if (to.kind == TypeKind::boolean) return from.kind == TypeKind::boolean;
  if (from.kind == TypeKind::boolean || to.bytes == 8) return true;
  if (from.bytes == to.bytes) return from.is_signed == to.is_signed;
  return from.bytes < to.bytes && (!from.is_signed || to.is_signed);
}

std::optional<std::int64_t> computed(Op op, const Type& type, std::int64_t a, std::int64_t b) {
  const auto ua = static_cast<std::uint64_t>(a);
  const auto ub = static_cast<std::uint64_t>(b);
  const std::uint64_t shift = ub & (8U * type.bytes - 1U);
  std::int64_t bits = 0;
  switch (op) {
    case Op::add:
      bits = static_cast<std::int64_t>(ua + ub);
      break;
    case Op::subtract:
      bits = static_cast<std::int64_t>(ua - ub);
      break;
    case Op::multiply:
      bits = static_cast<std::int64_t>(ua * ub);
      break;
    case Op::divide:
    case Op::modulo: {
      const auto quotient = divided(op, type, a, b);
      if (!quotient) return std::nullopt;
      bits = *quotient;
      break;
    }
    case Op::shift_left:
      bits = static_cast<std::int64_t>(ua << shift);
      break;
    case Op::shift_right:
      bits = type.is_signed ? a >> shift : static_cast<std::int64_t>(ua >> shift);
      break;
    case Op::bit_and:
      bits = a & b;
      break;
    case Op::bit_or:
      bits = a | b;
      break;
    case Op::bit_xor:
      bits = a ^ b;
      break;
    case Op::minimum:
      bits = compared(Op::less, type.is_signed, b, a) ? b : a;
      break;
    case Op::maximum:
      bits = compared(Op::less, type.is_signed, a, b) ? b : a;
      break;
    default:
      return compared(op, type.is_signed, a, b) ? 1 : 0;
  }
  return canonical(bits, type);
}

std::int64_t magnitude_of(std::int64_t value, const Type& type, std::uint64_t base) {
  if (value == 0) return 0;
  const bool negative = type.is_signed && value < 0;
  const std::uint64_t magnitude = negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::uint64_t power = 1;
  while (power <= magnitude / base) power *= base;
  return static_cast<std::int64_t>(negative ? 0 - power : power);
}

}  // namespace diagnose::compile
