#include "compile/lower.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "compile/check_arithmetic.h"

namespace diagnose::compile {
namespace {

event::ColumnType column_type(const Typed& value) {
  switch (value.type.kind) {
    case TypeKind::boolean:
      return event::ColumnType::boolean;
    case TypeKind::text:
      return value.op == Op::text ? event::ColumnType::constant : event::ColumnType::text;
    case TypeKind::integer:
      if (value.type.is_time) return event::ColumnType::nanoseconds;
      return value.type.is_signed ? event::ColumnType::signed_integer : event::ColumnType::unsigned_integer;
    case TypeKind::nothing:
      break;
  }
  return event::ColumnType::signed_integer;
}

// Where argument `number` is at the call, x86 encoding: System V x86-64 ABI 3.2.3; Go's abi-internal.md.
std::uint8_t register_of(Abi abi, std::int64_t number) {
  static constexpr std::array<std::uint8_t, 6> system_v = {7, 6, 2, 1, 8, 9};
  static constexpr std::array<std::uint8_t, 9> go = {0, 3, 1, 7, 6, 8, 9, 10, 11};
  const auto index = static_cast<std::size_t>(number);
  return abi == Abi::go ? go[index] : system_v[index];
}

std::int64_t floored(double bound) {
  const double whole = std::floor(bound);
  if (whole >= 0x1p63) return std::numeric_limits<std::int64_t>::max();
  if (whole < -0x1p63) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(whole);
}

}  // namespace

void SavedValues::place(Typed& value, Phase phase) {
  if (value.op == Op::start && phase == Phase::call) value.op = Op::now;
  if (value.op == Op::result && phase == Phase::end) value.value = 1;
  if (value.op == Op::argument) place_argument(value, phase);
  for (const TypedPtr& child : value.children) place(*child, phase);
}

void SavedValues::place_argument(Typed& value, Phase phase) {
  const std::uint8_t reg = register_of(abi_, value.value);
  entry_registers_ = static_cast<std::uint16_t>(entry_registers_ | 1U << reg);
  if (phase == Phase::call) {
    value.value = reg;
    return;
  }
  const auto found = std::find(arguments_.begin(), arguments_.end(), value.value);
  const auto slot = found - arguments_.begin();
  if (found == arguments_.end()) arguments_.push_back(value.value);
  value.op = Op::saved;
  value.value = slot;
}

std::vector<std::uint8_t> SavedValues::registers() const {
  std::vector<std::uint8_t> registers;
  for (const std::int64_t argument : arguments_) registers.push_back(register_of(abi_, argument));
  return registers;
}

std::vector<Saved> SavedValues::saved() const {
  std::vector<Saved> values;
  for (const std::int64_t argument : arguments_) values.push_back({"arg" + std::to_string(argument), long_type});
  return values;
}

event::Column column_of(const std::string& name, const Typed& value) {
  event::Column column;
  column.name = name;
  column.type = column_type(value);
  if (column.type == event::ColumnType::constant) {
    column.constant = value.text;
    column.size = 0;
  } else if (column.type == event::ColumnType::text) {
    column.size = value.type.text_bytes;
  }
  return column;
}

std::optional<Write> append(event::Layout& layout, const std::string& name, TypedPtr value) {
  event::Column column = column_of(name, *value);
  column.offset = layout.size;
  layout.size += column.size;
  layout.columns.push_back(column);
  if (column.type == event::ColumnType::constant) return std::nullopt;
  return Write{.value = std::move(value), .offset = column.offset, .size = column.size, .null_bit = -1};
}

Bounds bounds_of(const std::optional<spec::Buckets>& written, bool is_time) {
  std::vector<double> bounds;
  if (written) {
    bounds = written->bounds;
  } else {
    double bound = is_time ? 1000 : 1;  // 1 us, in nanoseconds
    for (int count = is_time ? 24 : 32; count > 0; --count, bound *= 2) bounds.push_back(bound);
  }
  Bounds made;
  for (const double bound : bounds) {
    made.native.push_back(floored(bound));
    made.shown.push_back(is_time ? bound / 1e9 : bound);
  }
  return made;
}

}  // namespace diagnose::compile
