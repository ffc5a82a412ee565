// Texts: where their characters are, and what can be asked of them.
#include <algorithm>

#include "compile/check_arithmetic.h"
#include "compile/check_names.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

using Kind = DebugType::Kind;

constexpr std::size_t literal_chars = 62;   // compared on the BPF stack, with a NUL and one more to see what is longer
constexpr std::uint64_t header_bytes = 48;  // of a text's own words that are read at once; see emit_text.cpp

constexpr Type text_of(std::uint32_t bytes) {
  return Type{.kind = TypeKind::text, .bytes = 0, .is_signed = false, .is_time = false, .text_bytes = bytes};
}

std::uint32_t whole_words(std::uint64_t bytes) {
  return (static_cast<std::uint32_t>(bytes) + 7U) & ~7U;
}

std::uint64_t header_end(const DebugType::Layout& layout) {
  std::uint64_t end = std::max<std::uint64_t>(layout.data_offset, layout.size_offset) + 8;
  if (layout.has_short) end = std::max<std::uint64_t>(end, std::uint64_t{layout.short_at} + 1);
  return end;
}

// The characters of `str(x, n)`, of a text that has `length`; 0: all of them.
TypedPtr at_most(TypedPtr length, std::int64_t characters, std::size_t position) {
  if (!length || characters == 0) return length;
  return make(Op::minimum, unsigned_long_type, position, std::move(length), constant(characters, unsigned_long_type));
}

}  // namespace

bool Checker::is_textual(const Typed& value) const {
  if (is_text(value)) return true;
  const DebugType& type = scope_.types[value.of];
  const bool points = type.kind == Kind::pointer && value.type.kind == TypeKind::integer;
  const bool holds = type.kind == Kind::array && value.type.kind == TypeKind::object;
  if (points || holds) return scope_.types[type.target].is_character;
  return type.kind == Kind::text && value.type.kind == TypeKind::object;
}

TypedPtr Checker::shown(TypedPtr value) {
  const bool ready = is_text(*value) || value->type.kind == TypeKind::stack;
  if (is_null(*value) || is_unknown(*value) || ready) return value;
  const std::size_t position = value->position;
  if (is_textual(*value)) return text(std::move(value), texts_.usual, position);
  if (value->type.kind != TypeKind::object) return value;
  if (kind(*value) != Kind::optional) return number(std::move(value), "a label or field");
  value = value_of_optional(*value, position);
  if (!value || value->type.kind != TypeKind::object || is_textual(*value))
    return value ? shown(std::move(value)) : nullptr;
  return number(std::move(value), "a label or field");
}

TypedPtr Checker::text(TypedPtr value, std::uint32_t bytes, std::size_t position, std::uint32_t characters) {
  if (is_text(*value) || is_null(*value)) return value;
  const DebugType& type = scope_.types[value->of];
  if (value->type.kind != TypeKind::object) {
    value->of = no_type;
    TypedPtr made = make(Op::string, text_of(bytes), position, std::move(value));
    made->value = characters;
    return made;
  }
  const Part* part = part_at(*value, 0, 1);
  const bool in_memory = part != nullptr && part->where == Part::Where::memory;
  if (type.kind == Kind::array) {
    if (!in_memory) {
      return fail(position, quoted(scope_.types.name(value->of)), "is in registers here", "look at its elements");
    }
    const bool bounded = type.count > 0 && type.count < bytes;
    TypedPtr made = make(Op::string, text_of(bounded ? std::min(bytes, whole_words(type.count + 1)) : bytes), position,
                         plus(copy(*part->at), -part->offset));
    const std::uint64_t most = characters == 0 ? type.count : std::min<std::uint64_t>(type.count, characters);
    made->value = static_cast<std::int64_t>(bounded ? most : characters);
    made->of_call = value->of_call;
    return made;
  }
  const DebugType::Layout& layout = type.layout;
  if (in_memory && !layout.size_is_end && header_end(layout) <= header_bytes) {
    TypedPtr made = make(Op::laid_out_text, text_of(bytes), position, plus(copy(*part->at), -part->offset));
    made->layout = &layout;
    made->value = characters;
    made->of_call = value->of_call;
    made->text = value->text;
    return made;
  }
  TypedPtr data = characters_of(*value, layout);
  TypedPtr length = length_of(*value, layout, 1);
  if (!data || !length) {
    return fail(position, quoted(scope_.types.name(value->of)), "its parts are not to be had here");
  }
  TypedPtr made = make(Op::counted_text, text_of(bytes), position, std::move(data), std::move(length));
  made->value = characters;
  return made;
}

TypedPtr Checker::string(const Node& node, std::vector<TypedPtr> values) {
  std::uint32_t bytes = texts_.usual;
  std::uint32_t characters = 0;
  if (values.size() == 2) {
    const Typed& wanted = *values[1];
    if (!is_constant(wanted) || wanted.value < 1 || wanted.value > texts_.most) {
      return fail(wanted.position, "`str`",
                  "its length is a constant from 1 to " + std::to_string(texts_.most) + " here",
                  "write for example `str(arg0, 64)`");
    }
    characters = static_cast<std::uint32_t>(wanted.value);
    bytes = std::min(whole_words(characters + std::uint64_t{1}), texts_.most);  // with the NUL
  }
  TypedPtr value = std::move(values[0]);
  if (is_null(*value) || is_unknown(*value)) return value;
  if (value->type.kind == TypeKind::object && kind(*value) == Kind::optional) {
    value = value_of_optional(*value, node.position);
    if (!value) return nullptr;
  }
  const bool of_characters = !scope_.types.is_pointer(value->of) || is_textual(*value) ||
                             scope_.types[scope_.types[value->of].target].kind == Kind::nothing;
  const bool address =
      value->type.kind == TypeKind::integer && value->type.bytes == 8 && !value->type.is_time && of_characters;
  const bool object = value->type.kind == TypeKind::object && is_textual(*value);
  if (!address && !object) {
    return fail(value->position, "`str`", "needs an address of characters", "write for example `str(arg0)`");
  }
  return text(std::move(value), bytes, node.position, characters);
}

TypedPtr Checker::length(const Node& node, TypedPtr value) {
  if (is_null(*value) || is_untyped(*value)) return is_null(*value) ? std::move(value) : unknown(node.position);
  const std::size_t position = node.position;
  if (value->type.kind == TypeKind::object && kind(*value) == Kind::optional) {
    value = value_of_optional(*value, position);
    if (!value) return nullptr;
  }
  const DebugType& type = scope_.types[value->of];
  if (value->type.kind == TypeKind::object) {
    if (type.kind == Kind::sequence || type.kind == Kind::text) return size_of_sequence(*value, position);
    const bool counts = type.kind == Kind::array && type.count > 0 && !is_textual(*value);
    if (counts) return constant(static_cast<std::int64_t>(type.count), unsigned_long_type);
  }
  if (value->op == Op::text) return constant(static_cast<std::int64_t>(value->text.size()), unsigned_long_type);
  if (is_textual(*value) && !is_text(*value)) value = text(std::move(value), texts_.most, position);
  if (!value) return nullptr;
  if (value->op == Op::counted_text) return at_most(std::move(value->children[1]), value->value, position);
  if (value->op == Op::laid_out_text) {
    const TypedPtr object = object_at(no_type, std::move(value->children[0]), value->of_call, header_bytes, position);
    object->text = value->text;
    return at_most(length_of(*object, *value->layout, 1), value->value, position);
  }
  if (value->op != Op::string) {
    return fail(position, "`len`", "needs a text or a sequence of the target", "write for example `len(str(arg0))`");
  }
  TypedPtr counted = make(Op::text_length, unsigned_long_type, position, std::move(value->children[0]));
  counted->value = value->value;
  counted->of_call = value->of_call;
  return counted;
}

TypedPtr Checker::starts_with(const Node& node, std::vector<TypedPtr> values) {
  if (is_null(*values[0]) || is_untyped(*values[0])) {
    return is_null(*values[0]) ? std::move(values[0]) : unknown(node.position);
  }
  if (!is_textual(*values[0]) || values[0]->op == Op::text) {
    return fail(values[0]->position, "`startswith`", "its first value is no text of the target",
                "write for example `startswith(str(arg0), \"...\")`");
  }
  if (values[1]->op != Op::text || values[1]->text.empty()) {
    return fail(values[1]->position, "`startswith`", "its second value is no literal text",
                "write for example `startswith(x, \"/api/\")`");
  }
  return against_literal(Op::text_starts, std::move(values[0]), *values[1], node.position);
}

TypedPtr Checker::text_comparison(Op op, TypedPtr left, TypedPtr right, std::size_t position) {
  if (left->op == Op::text) std::swap(left, right);
  if (is_null(*left) || is_null(*right)) return null_at(position);
  if (is_untyped(*left) || is_untyped(*right)) return unknown(position);
  const bool comparable = is_textual(*left) && left->op != Op::text && right->op == Op::text;
  if (!comparable) {
    return fail(position, "text", "a text can only be compared with a literal text",
                "write `str(arg0) == \"...\"` or `comm == \"...\"`");
  }
  return against_literal(op == Op::equal ? Op::text_equal : Op::text_unequal, std::move(left), *right, position);
}

TypedPtr Checker::against_literal(Op op, TypedPtr value, const Typed& literal, std::size_t position) {
  if (!is_text(*value)) value = text(std::move(value), texts_.most, position);
  if (!value) return nullptr;
  const std::size_t most = std::min<std::size_t>(value->type.text_bytes - 1, literal_chars);
  if (literal.text.size() > most) {
    return fail(literal.position, "text", "longer than the " + std::to_string(most) + " characters that are compared",
                "shorten it");
  }
  TypedPtr compared = make(op, boolean_type, position, std::move(value));
  compared->text = literal.text;
  return compared;
}

}  // namespace diagnose::compile
