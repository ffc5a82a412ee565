// Nodes of the typed tree, and the words that objects are made of.
#include <algorithm>

#include "compile/check_arithmetic.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

Type unsigned_of(std::uint8_t bytes) {
  return Type{.bytes = bytes, .is_signed = false};
}

}  // namespace

TypedPtr make(Op op, Type type, std::size_t position, TypedPtr first, TypedPtr second) {
  auto value = std::make_unique<Typed>();
  value->op = op;
  value->type = type;
  value->position = position;
  if (first) value->children.push_back(std::move(first));
  if (second) value->children.push_back(std::move(second));
  return value;
}

TypedPtr null_at(std::size_t position) {
  return make(Op::null_, null_type, position);
}

TypedPtr copy(const Typed& value) {
  auto made = std::make_unique<Typed>();
  made->op = value.op;
  made->type = value.type;
  made->of = value.of;
  made->show = value.show;
  made->value = value.value;
  made->count = value.count;
  made->null_slot = value.null_slot;
  made->of_call = value.of_call;
  made->text = value.text;
  made->layout = value.layout;
  made->position = value.position;
  for (const TypedPtr& child : value.children) made->children.push_back(copy(*child));
  for (const Part& part : value.parts) {
    made->parts.push_back({part.where, part.offset, part.bytes, part.at ? copy(*part.at) : nullptr, part.why});
  }
  return made;
}

TypedPtr constant(std::int64_t value, Type type) {
  TypedPtr made = make(Op::constant, type, 0);
  made->value = canonical(value, type);
  return made;
}

TypedPtr converted(TypedPtr value, Type type) {
  if (is_null(*value) || is_unknown(*value)) return value;
  value->of = no_type;
  value->show = Show::plainly;
  if (same_number(value->type, type)) {
    value->type = type;
    return value;
  }
  if (is_constant(*value)) {
    value->value = canonical(value->value, type);
    value->type = type;
    return value;
  }
  const std::size_t position = value->position;
  return make(Op::convert, type, position, std::move(value));
}

TypedPtr unary(Op op, Type type, TypedPtr operand) {
  if (is_null(*operand) || is_unknown(*operand)) return operand;
  if (is_constant(*operand)) {
    const auto bits = static_cast<std::uint64_t>(operand->value);
    TypedPtr value = constant(static_cast<std::int64_t>(op == Op::negate ? 0 - bits : ~bits), type);
    value->position = operand->position;
    return value;
  }
  const std::size_t position = operand->position;
  return make(op, type, position, std::move(operand));
}

TypedPtr plus(TypedPtr address, std::int64_t bytes) {
  const std::size_t position = address->position;
  if (address->op == Op::add && is_constant(*address->children[1])) {
    bytes = static_cast<std::int64_t>(static_cast<std::uint64_t>(bytes) +
                                      static_cast<std::uint64_t>(address->children[1]->value));
    address = std::move(address->children[0]);
  }
  address = converted(std::move(address), unsigned_long_type);
  if (bytes == 0 || is_null(*address)) return address;
  return make(Op::add, unsigned_long_type, position, std::move(address), constant(bytes, unsigned_long_type));
}

TypedPtr register_at_call(std::uint8_t encoding, std::string name, std::size_t position) {
  TypedPtr value = make(Op::argument, unsigned_long_type, position);
  value->value = encoding;
  value->text = std::move(name);
  return value;
}

TypedPtr object_at(TypeId of, TypedPtr address, bool of_call, std::uint64_t bytes, std::size_t position) {
  TypedPtr object = make(Op::object, Type{.kind = TypeKind::object, .bytes = 0}, position);
  object->of = of;
  object->of_call = of_call;
  object->parts.push_back({.where = Part::Where::memory, .offset = 0, .bytes = bytes, .at = std::move(address)});
  return object;
}

const Part* part_at(const Typed& object, std::int64_t offset, std::uint64_t bytes) {
  const auto covers = [&](const Part& part) {
    if (offset < part.offset) return false;
    const std::uint64_t before = static_cast<std::uint64_t>(offset) - static_cast<std::uint64_t>(part.offset);
    return before <= part.bytes && bytes <= part.bytes - before;
  };
  const auto found = std::find_if(object.parts.begin(), object.parts.end(), covers);
  return found == object.parts.end() ? nullptr : &*found;
}

TypedPtr word_of(const Typed& object, std::int64_t offset, std::uint8_t bytes) {
  const Part* part = part_at(object, offset, bytes);
  if (part == nullptr) return nullptr;
  const std::int64_t within = offset - part->offset;
  const Type type = unsigned_of(bytes);
  if (part->where == Part::Where::memory) {
    TypedPtr word = make(Op::read, type, object.position, plus(copy(*part->at), within));
    word->of_call = object.of_call;
    word->text = object.text;
    return word;
  }
  if (part->where != Part::Where::value) return nullptr;
  TypedPtr word = converted(copy(*part->at), unsigned_long_type);
  if (within > 0 && within < 8) {
    if (is_constant(*word)) {
      word->value = static_cast<std::int64_t>(static_cast<std::uint64_t>(word->value) >> (8 * within));
    } else {
      word = make(Op::shift_right, unsigned_long_type, object.position, std::move(word),
                  constant(8 * within, unsigned_int_type));
    }
  }
  const bool whole = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;  // else of a bit-field, which is cut anyway
  return whole ? converted(std::move(word), type) : std::move(word);
}

namespace {

// Whether a text of libc++ is in the object itself.
TypedPtr is_short(const Typed& text, const DebugType::Layout& layout) {
  TypedPtr byte = word_of(text, layout.short_at, 1);
  if (!byte) return nullptr;
  TypedPtr bit = make(Op::bit_and, int_type, text.position, converted(std::move(byte), int_type),
                      constant(layout.short_mask, int_type));
  return make(layout.short_if_clear ? Op::equal : Op::unequal, boolean_type, text.position, std::move(bit),
              constant(0, int_type));
}

TypedPtr choose(TypedPtr condition, TypedPtr yes, TypedPtr no) {
  const std::size_t position = condition->position;
  TypedPtr value = make(Op::choose, unsigned_long_type, position, std::move(condition), std::move(yes));
  value->children.push_back(std::move(no));
  return value;
}

}  // namespace

TypedPtr characters_of(const Typed& text, const DebugType::Layout& layout) {
  TypedPtr address = word_of(text, layout.data_offset, 8);
  if (!address || !layout.has_short) return address;
  TypedPtr condition = is_short(text, layout);
  const Part* part = part_at(text, layout.short_data_offset, 1);
  if (!condition || part == nullptr || part->where != Part::Where::memory) return nullptr;
  return choose(std::move(condition), plus(copy(*part->at), layout.short_data_offset - part->offset),
                std::move(address));
}

TypedPtr length_of(const Typed& text, const DebugType::Layout& layout, std::uint64_t element_bytes) {
  TypedPtr size = word_of(text, layout.size_offset, 8);
  if (!size) return nullptr;
  if (layout.size_is_end) {
    TypedPtr begin = word_of(text, layout.data_offset, 8);
    if (!begin) return nullptr;
    size = make(Op::subtract, unsigned_long_type, text.position, std::move(size), std::move(begin));
    if (element_bytes > 1) {
      size = make(Op::divide, unsigned_long_type, text.position, std::move(size),
                  constant(static_cast<std::int64_t>(element_bytes), unsigned_long_type));
    }
  }
  if (!layout.has_short) return size;
  TypedPtr condition = is_short(text, layout);
  TypedPtr byte = word_of(text, layout.short_at, 1);
  if (!condition || !byte) return nullptr;
  TypedPtr length =
      make(Op::shift_right, unsigned_long_type, text.position, converted(std::move(byte), unsigned_long_type),
           constant(layout.short_shift, unsigned_int_type));
  return choose(std::move(condition), std::move(length), std::move(size));
}

}  // namespace diagnose::compile
