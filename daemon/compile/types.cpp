#include "compile/types.h"

#include <algorithm>
#include <limits>

#include "compile/check_arithmetic.h"

namespace diagnose::compile {
namespace {

using Kind = DebugType::Kind;

constexpr int depth_max = 32;  // of arrays of arrays and pointers to pointers; a reader may lie

bool is_power_of_two(std::uint64_t bytes) {
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

std::string integer_name(const Type& type) {
  const std::string sign = type.is_signed ? "" : "unsigned ";
  switch (type.bytes) {
    case 1:
      return type.is_signed ? "signed char" : "unsigned char";
    case 2:
      return sign + "short";
    case 4:
      return sign + "int";
    default:
      return sign + "long";
  }
}

}  // namespace

Types::Types(const target::DebugInfo* debug)
    : debug_(debug), first_own_(debug == nullptr ? 1 : std::max<std::size_t>(debug->types.size(), 1)) {
  nothing_.name = "void";
}

const DebugType& Types::operator[](TypeId id) const {
  if (id == no_type) return nothing_;
  if (id < first_own_) return debug_ != nullptr && id < debug_->types.size() ? debug_->types[id] : nothing_;
  return id - first_own_ < own_.size() ? own_[id - first_own_] : nothing_;
}

TypeId Types::add(DebugType type) {
  const auto same = [&](const DebugType& known) {
    return known.kind == type.kind && known.bytes == type.bytes && known.is_signed == type.is_signed &&
           known.is_character == type.is_character && known.target == type.target;
  };
  const auto found = std::find_if(own_.begin(), own_.end(), same);
  const auto index = static_cast<std::size_t>(found - own_.begin());
  if (found == own_.end()) own_.push_back(std::move(type));
  return static_cast<TypeId>(first_own_ + index);
}

TypeId Types::of(const Type& number) {
  if (number.kind == TypeKind::nothing) return no_type;
  DebugType type;
  type.kind = number.kind == TypeKind::boolean ? Kind::boolean : Kind::integer;
  type.bytes = number.bytes;
  type.is_signed = number.is_signed;
  type.is_character = type.kind == Kind::integer && number.bytes == 1;
  type.name = type.kind == Kind::boolean ? "bool" : integer_name(number);
  return add(std::move(type));
}

TypeId Types::floating(std::uint8_t bytes) {
  DebugType type;
  type.kind = Kind::floating;
  type.bytes = bytes;
  type.name = bytes == 4 ? "float" : "double";
  return add(std::move(type));
}

TypeId Types::pointer_to(TypeId target) {
  DebugType type;
  type.kind = Kind::pointer;
  type.bytes = 8;
  type.target = target;
  return add(std::move(type));
}

Type Types::value(TypeId id) const {
  const DebugType& type = (*this)[id];
  constexpr Type object{.kind = TypeKind::object, .bytes = 0};
  const auto bytes = static_cast<std::uint8_t>(std::min<std::uint64_t>(type.bytes, 255));
  switch (type.kind) {
    case Kind::nothing:
      return null_type;
    case Kind::integer:
    case Kind::enumeration:
      return is_power_of_two(bytes) ? Type{.bytes = bytes, .is_signed = type.is_signed} : object;
    case Kind::boolean:
      return is_power_of_two(bytes) ? Type{.kind = TypeKind::boolean, .bytes = bytes, .is_signed = false} : object;
    case Kind::floating:
      return bytes == 4 || bytes == 8 ? Type{.kind = TypeKind::floating, .bytes = bytes} : object;
    case Kind::pointer:
    case Kind::reference:
      return unsigned_long_type;
    default:
      return object;
  }
}

std::uint64_t Types::bytes(TypeId id) const {
  std::uint64_t count = 1;
  for (int depth = 0; depth < depth_max; ++depth) {
    const DebugType& type = (*this)[id];
    if (type.kind != Kind::array) return __builtin_mul_overflow(count, type.bytes, &count) ? 0 : count;
    if (type.bytes > 0) return __builtin_mul_overflow(count, type.bytes, &count) ? 0 : count;
    if (__builtin_mul_overflow(count, type.count, &count)) return 0;
    id = type.target;
  }
  return 0;
}

std::uint64_t Types::step(TypeId id) const {
  const std::uint64_t size = bytes(id);
  return size == 0 || size > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()) ? 1 : size;
}

std::string Types::name(TypeId id) const {
  std::string name = "?";
  std::string behind;
  for (int depth = 0; depth < depth_max; ++depth) {
    const DebugType& type = (*this)[id];
    if (!type.name.empty()) {
      name = type.name;
      break;
    }
    if (type.kind == Kind::pointer) {
      behind.insert(0, "*");
    } else if (type.kind == Kind::reference) {
      behind.insert(0, "&");
    } else if (type.kind == Kind::array) {
      behind.insert(0, "[" + (type.count > 0 ? std::to_string(type.count) : std::string()) + "]");
    } else {
      break;
    }
    id = type.target;
  }
  if (!behind.empty() && behind.front() != '[') name += ' ';
  name += behind;
  return name;
}

}  // namespace diagnose::compile
