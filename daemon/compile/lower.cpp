#include "compile/lower.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "compile/check_arithmetic.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

event::ColumnType column_type(const Typed& value) {
  if (value.show == Show::as_address) return event::ColumnType::address;
  if (value.show == Show::in_hexadecimal) return event::ColumnType::hexadecimal;
  switch (value.type.kind) {
    case TypeKind::boolean:
      return event::ColumnType::boolean;
    case TypeKind::text:
      return value.op == Op::text ? event::ColumnType::constant : event::ColumnType::text;
    case TypeKind::integer:
      if (value.type.is_time) return event::ColumnType::nanoseconds;
      return value.type.is_signed ? event::ColumnType::signed_integer : event::ColumnType::unsigned_integer;
    case TypeKind::floating:
      return value.type.bytes == 4 ? event::ColumnType::floating32 : event::ColumnType::floating64;
    case TypeKind::stack:
      return event::ColumnType::stack;
    case TypeKind::nothing:
    case TypeKind::object:
    case TypeKind::unknown:
      break;
  }
  return event::ColumnType::signed_integer;
}

// What makes two values of the call the same.
std::string key_of(const Typed& value) {
  std::string key = std::to_string(static_cast<int>(value.op)) + "." + std::to_string(value.value) + "." +
                    std::to_string(value.count) + "." + std::to_string(value.type.bytes) +
                    (value.type.is_signed ? "s" : "u") + std::to_string(static_cast<int>(value.type.kind)) + "(";
  for (const TypedPtr& child : value.children) key += key_of(*child);
  return key + ")";
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
  if ((value.op == Op::result || value.op == Op::result_word) && phase == Phase::end) value.value = 1;
  if (value.op == Op::argument && value.value < target::register_ip) {
    entry_registers_ = static_cast<std::uint16_t>(entry_registers_ | 1U << static_cast<unsigned>(value.value));
  }
  if (phase != Phase::call && value.of_call) {
    if (value.op == Op::laid_out_text) return place_text(value, phase);
    if (value.op == Op::string || value.op == Op::text_length) unkept_text_ = value.position;
  }
  const bool kept = value.op == Op::argument || (value.op == Op::read && value.of_call);
  if (kept && phase != Phase::call) {
    for (const TypedPtr& child : value.children) place(*child, Phase::call);
    return save(value);
  }
  for (const TypedPtr& child : value.children) place(*child, phase);
}

// The text's own words are those of the call; its characters are read later.
void SavedValues::place_text(Typed& value, Phase phase) {
  const DebugType::Layout& layout = *value.layout;
  const TypedPtr object =
      object_at(no_type, std::move(value.children[0]), true, std::numeric_limits<std::uint32_t>::max(), value.position);
  object->text = value.text;
  value.children.clear();
  value.op = Op::counted_text;
  value.of_call = false;
  value.children.push_back(characters_of(*object, layout));
  value.children.push_back(length_of(*object, layout, 1));
  for (const TypedPtr& child : value.children) place(*child, phase);
}

void SavedValues::save(Typed& value) {
  const Type type = value.type;
  const bool nullable = can_be_null(value);
  const std::size_t slot = slot_of(value);
  if (nullable && null_slot_ < 0) {
    null_slot_ = static_cast<std::int32_t>(slots_.size());
    slots_.push_back({nullptr, "", ""});
  }
  value.children.clear();
  value.op = Op::saved;
  value.type = type;
  value.value = static_cast<std::int64_t>(slot);
  value.null_slot = nullable ? null_slot_ : -1;
}

std::size_t SavedValues::slot_of(const Typed& value) {
  std::string key = key_of(value);
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.same_as == key; });
  if (found != slots_.end()) return static_cast<std::size_t>(found - slots_.begin());
  slots_.push_back({copy(value), value.text, std::move(key)});
  return slots_.size() - 1;
}

std::vector<Saved> SavedValues::saved() const {
  std::vector<Saved> values;
  for (const Slot& slot : slots_) {
    if (!slot.value) {
      values.push_back({"(which of them are null)", unsigned_long_type});
    } else {
      values.push_back({slot.name, slot.value->op == Op::argument ? long_type : slot.value->type});
    }
  }
  return values;
}

event::Column column_of(const std::string& name, const Typed& value, const Types& types) {
  event::Column column;
  column.name = name;
  column.type = column_type(value);
  if (column.type == event::ColumnType::constant) {
    column.constant = value.text;
    column.size = 0;
  } else if (column.type == event::ColumnType::text || column.type == event::ColumnType::stack) {
    column.size = value.type.text_bytes;
  } else if (const DebugType& type = types[value.of]; type.kind == DebugType::Kind::enumeration &&
                                                      value.type.kind == TypeKind::integer &&
                                                      value.show == Show::plainly) {
    column.type =
        value.type.is_signed ? event::ColumnType::signed_enumeration : event::ColumnType::unsigned_enumeration;
    for (const DebugType::Enumerator& each : type.enumerators) column.enumerators.emplace_back(each.value, each.name);
    std::stable_sort(column.enumerators.begin(), column.enumerators.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return column;
}

std::optional<Write> append(event::Layout& layout, const std::string& name, TypedPtr value, const Types& types) {
  event::Column column = column_of(name, *value, types);
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
