// Casts, functions and choices.
#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "compile/check_arithmetic.h"
#include "compile/check_names.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

using Kind = DebugType::Kind;

// Faults of a cast value point at the cast.
TypedPtr placed(TypedPtr value, std::size_t position) {
  value->position = position;
  return value;
}

}  // namespace

TypedPtr Checker::conditional(const Node& node) {
  TypedPtr condition = truth(visit(*node.children[0]), "`?:`");
  TypedPtr yes = visit(*node.children[1]);
  TypedPtr no = visit(*node.children[2]);
  if (!condition || !yes || !no) return nullptr;
  if (is_unknown(*condition) || is_unknown(*yes) || is_unknown(*no)) return unknown(node.position);
  const auto text = [&](const Typed& value) {
    return is_text(value) || (value.type.kind == TypeKind::object && is_textual(value));
  };
  if (text(*yes) || text(*no))
    return choice_of_texts(node.position, std::move(condition), std::move(yes), std::move(no));
  yes = number(std::move(yes), "`?:`");
  no = number(std::move(no), "`?:`");
  if (!yes || !no) return nullptr;
  if (is_null(*condition) || (is_null(*yes) && is_null(*no))) return null_at(node.position);
  const bool both = !is_null(*yes) && !is_null(*no);
  const bool pointers = scope_.types.is_pointer(yes->of) || scope_.types.is_pointer(no->of);
  if (both && pointers && !same_type(yes->of, no->of)) {
    return fail(node.position, "`?:`", "chooses between an address and something else", "cast both to one type");
  }
  const Typed& typed = is_null(*yes) ? *no : *yes;
  Type type = typed.type;
  const TypeId of = pointers || !both || yes->of == no->of ? typed.of : no_type;
  if (both && !pointers) {
    const std::optional<bool> is_time = unit(Op::minimum, "`?:`", *yes, *no, node.position);
    if (!is_time) return nullptr;
    const bool booleans = yes->type.kind == TypeKind::boolean && no->type.kind == TypeKind::boolean;
    type = booleans ? boolean_type : common(yes->type, no->type);
    type.is_time = *is_time;
  }
  yes = converted(std::move(yes), type);
  no = converted(std::move(no), type);
  TypedPtr value;
  if (is_constant(*condition)) {
    value = condition->value != 0 ? std::move(yes) : std::move(no);
  } else {
    value = make(Op::choose, type, node.position, std::move(condition), std::move(yes));
    value->children.push_back(std::move(no));
  }
  value->of = is_null(*value) ? no_type : of;
  return value;
}

TypedPtr Checker::choice_of_texts(std::size_t position, TypedPtr condition, TypedPtr yes, TypedPtr no) {
  for (TypedPtr* one : {&yes, &no}) {
    if (is_null(**one)) continue;
    const std::size_t place = (*one)->position;
    if (!is_textual(**one)) {
      return fail(place, "`?:`", "chooses between a text and a number",
                  "write the number as a text, or use two labels or fields");
    }
    *one = text(std::move(*one), texts_.usual, place);
    if (!*one) return nullptr;
  }
  if (is_null(*condition)) return null_at(position);
  if (is_constant(*condition)) return condition->value != 0 ? std::move(yes) : std::move(no);
  Type type = is_null(*yes) ? no->type : yes->type;
  if (!is_null(*no)) type.text_bytes = std::max(type.text_bytes, no->type.text_bytes);
  type.text_bytes = (type.text_bytes + 7U) & ~7U;
  if (type.text_bytes > std::max(texts_.most, 1U)) {
    return fail(position, "`?:`", "a text is longer than the " + std::to_string(texts_.most) + " characters that fit",
                "shorten it");
  }
  TypedPtr value = make(Op::choose, type, position, std::move(condition), std::move(yes));
  value->children.push_back(std::move(no));
  return value;
}

bool Checker::same_type(TypeId a, TypeId b) const {
  if (a == b) return true;
  const DebugType& one = scope_.types[a];
  const DebugType& other = scope_.types[b];
  return one.kind == Kind::pointer && other.kind == Kind::pointer &&
         scope_.types.name(one.target) == scope_.types.name(other.target);
}

// A type as written, in the target's terms.
std::optional<TypeId> Checker::written(const WrittenType& type, std::size_t position) {
  TypeId id = no_type;
  if (type.unknown.empty()) {
    id = scope_.types.of(type.base);
  } else {
    const target::DebugInfo* debug = scope_.subject.debug;
    if (debug == nullptr || !debug->present) {
      fail(position, "`" + type.unknown + "`", "types of the target need debug information, and there is none",
           "install the debug package of the target, build it with -g, or read at an offset: `*(u32 *)(arg0 + 16)`");
      return std::nullopt;
    }
    const auto found = std::find_if(debug->named_types.begin(), debug->named_types.end(),
                                    [&](const target::NamedType& known) { return known.name == type.unknown; });
    if (found == debug->named_types.end() || found->type == no_type) {
      fail(position, "`" + type.unknown + "`", "the target has no type of that name",
           "write it as the source does, with its namespace: `struct request`, `ns::Type`");
      return std::nullopt;
    }
    id = found->type;
  }
  for (unsigned pointer = 0; pointer < type.pointers; ++pointer) id = scope_.types.pointer_to(id);
  return id;
}

TypedPtr Checker::cast(const Node& node) {
  TypedPtr operand = visit(*node.children[0]);
  const WrittenType& type = node.written;
  const bool floating = type.unknown == "float" || type.unknown == "double";
  if (floating && type.pointers == 0) {
    return fail(node.position, "`" + type.unknown + "`",
                "floating point travels in xmm registers, which a uprobe cannot read", "measure an integer");
  }
  if (scope_.offline && !type.unknown.empty()) return unknown(node.position);
  std::optional<TypeId> id;
  if (floating) {
    id = scope_.types.floating(type.unknown == "float" ? 4 : 8);
    for (unsigned pointer = 0; pointer < type.pointers; ++pointer) id = scope_.types.pointer_to(*id);
  } else {
    id = written(type, node.position);
  }
  if (!operand || !id) return nullptr;
  if (is_unknown(*operand)) return operand;
  operand = number(std::move(operand), "a cast");
  if (!operand || is_null(*operand)) return operand;
  const Type to = scope_.types.value(*id);
  const bool plain = scope_.types[*id].kind == Kind::integer || scope_.types[*id].kind == Kind::boolean;
  if (to.kind == TypeKind::nothing) {
    return fail(node.position, "`void`", "has no values", "cast to a number or a pointer");
  }
  if (to.kind != TypeKind::integer && to.kind != TypeKind::boolean) {
    return fail(node.position, quoted(scope_.types.name(*id)), "is no type of a number or an address",
                "cast an address: `(" + scope_.types.name(*id) + " *)x`");
  }
  TypedPtr value = placed(converted(std::move(operand), to), node.position);
  if (!plain) value->of = *id;
  return value;
}

TypedPtr Checker::size_of(const Node& node) {
  const WrittenType& type = node.written;
  std::uint64_t bytes = type.pointers > 0 ? 8 : type.base.bytes;
  if (type.pointers == 0 && (type.unknown == "float" || type.unknown == "double")) {
    bytes = type.unknown == "float" ? 4 : 8;
  } else if (type.pointers == 0 && !type.unknown.empty()) {
    if (scope_.offline) return unknown(node.position);
    const target::Variable* found = find_variable(type.unknown);
    std::optional<TypeId> id = found != nullptr ? found->type : written(type, node.position);
    if (!id) return nullptr;
    bytes = scope_.types.bytes(*id);
  }
  if (bytes == 0 || bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return fail(node.position, "`sizeof`", "the size is not known", "");
  }
  return placed(constant(static_cast<std::int64_t>(bytes), unsigned_long_type), node.position);
}

TypedPtr Checker::call(const Node& node) {
  const std::size_t count = node.children.size();
  const std::string what = "`" + node.text + "`";
  struct Arity {
    std::string_view name;
    std::size_t least, most;
    std::string_view keyword;  // of the second value
  };
  static constexpr std::array<Arity, 8> arities = {{{"str", 1, 2, "n"},
                                                    {"len", 1, 1, ""},
                                                    {"startswith", 2, 2, ""},
                                                    {"mag", 1, 2, "base"},
                                                    {"min", 2, 2, ""},
                                                    {"max", 2, 2, ""},
                                                    {"abs", 1, 1, ""},
                                                    {"hex", 1, 1, ""}}};
  const auto* arity =
      std::find_if(arities.begin(), arities.end(), [&](const Arity& known) { return known.name == node.text; });
  if (arity == arities.end()) {
    checked_.issues.push_back(unknown_function(node.text, node.position));
    return nullptr;
  }
  if (count < arity->least || count > arity->most) {
    const std::string least = std::to_string(arity->least);
    const std::string takes = arity->least == arity->most ? least : least + " or " + std::to_string(arity->most);
    return fail(node.position, what, "takes " + takes + " values, not " + std::to_string(count));
  }
  std::vector<TypedPtr> values;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& keyword = node.keywords[i];
    if (!keyword.empty() && (i == 0 || keyword != arity->keyword)) {
      return fail(node.position, what, "has no parameter `" + keyword + "`",
                  arity->keyword.empty() ? "leave the name out" : "it has `" + std::string(arity->keyword) + "`");
    }
    values.push_back(visit(*node.children[i]));
  }
  if (std::any_of(values.begin(), values.end(), [](const TypedPtr& value) { return value == nullptr; })) {
    return nullptr;
  }
  if (std::any_of(values.begin(), values.end(), [](const TypedPtr& value) { return is_unknown(*value); })) {
    return unknown(node.position);
  }
  if (node.text == "len") return length(node, std::move(values[0]));
  if (node.text == "startswith") return starts_with(node, std::move(values));
  if (node.text == "hex") return hexadecimal(node, std::move(values[0]));
  if (node.text == "str") return string(node, std::move(values));
  if (node.text == "mag") return magnitude(node, std::move(values));
  if (node.text == "abs") return absolute(node, std::move(values[0]));
  return operate(node.text == "min" ? Op::minimum : Op::maximum, what, std::move(values[0]), std::move(values[1]),
                 node.position);
}

TypedPtr Checker::magnitude(const Node& node, std::vector<TypedPtr> values) {
  std::int64_t base = 10;
  if (values.size() == 2) {
    const Typed& wanted = *values[1];
    if (!is_constant(wanted) || wanted.value < 2 || wanted.value > 1000) {
      return fail(wanted.position, "`mag`", "its base is a constant from 2 to 1000", "write for example `mag(x, 2)`");
    }
    base = wanted.value;
  }
  TypedPtr operand = promoted_operand(std::move(values[0]), "`mag`");
  if (!operand || is_null(*operand)) return operand;
  const Type type = operand->type;
  if (is_constant(*operand)) {
    operand->value = magnitude_of(operand->value, type, static_cast<std::uint64_t>(base));
    return operand;
  }
  TypedPtr value = make(Op::magnitude, type, node.position, std::move(operand));
  value->value = base;
  return value;
}

TypedPtr Checker::absolute(const Node& node, TypedPtr operand) {
  operand = promoted_operand(std::move(operand), "`abs`");
  if (!operand || is_null(*operand) || !operand->type.is_signed) return operand;
  const Type type = operand->type;
  if (is_constant(*operand)) {
    if (operand->value < 0) operand->value = computed(Op::subtract, type, 0, operand->value).value_or(0);
    return operand;
  }
  return make(Op::absolute, type, node.position, std::move(operand));
}

TypedPtr Checker::hexadecimal(const Node& node, TypedPtr operand) {
  operand = number(std::move(operand), "`hex`");
  if (!operand || is_null(*operand)) return operand;
  Type type = operand->type.kind == TypeKind::boolean ? int_type : operand->type;
  type.is_signed = type.is_time = false;
  operand = placed(converted(std::move(operand), type), node.position);
  operand->show = Show::in_hexadecimal;
  return operand;
}

// A number of at least `int`'s width, its unit kept.
TypedPtr Checker::promoted_operand(TypedPtr operand, const std::string& user) {
  operand = number(std::move(operand), user);
  if (!operand || is_null(*operand)) return operand;
  Type type = promoted(operand->type);
  type.is_time = operand->type.is_time;
  return converted(std::move(operand), type);
}

}  // namespace diagnose::compile
