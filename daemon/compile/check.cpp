#include "compile/check.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "compile/check_arithmetic.h"
#include "compile/check_names.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

using Kind = DebugType::Kind;

std::optional<Op> binary_op(std::string_view symbol) {
  static constexpr std::array<std::pair<std::string_view, Op>, 16> table = {{{"+", Op::add},
                                                                             {"-", Op::subtract},
                                                                             {"*", Op::multiply},
                                                                             {"/", Op::divide},
                                                                             {"%", Op::modulo},
                                                                             {"<<", Op::shift_left},
                                                                             {">>", Op::shift_right},
                                                                             {"&", Op::bit_and},
                                                                             {"|", Op::bit_or},
                                                                             {"^", Op::bit_xor},
                                                                             {"==", Op::equal},
                                                                             {"!=", Op::unequal},
                                                                             {"<", Op::less},
                                                                             {"<=", Op::less_equal},
                                                                             {">", Op::greater},
                                                                             {">=", Op::greater_equal}}};
  for (const auto& [name, op] : table) {
    if (name == symbol) return op;
  }
  return std::nullopt;
}

bool is_comparison(Op op) {
  return op == Op::equal || op == Op::unequal || op == Op::less || op == Op::less_equal || op == Op::greater ||
         op == Op::greater_equal;
}

// Operators whose two sides must have one unit.
bool wants_one_unit(Op op) {
  return is_comparison(op) || op == Op::add || op == Op::subtract || op == Op::modulo || op == Op::minimum ||
         op == Op::maximum;
}

}  // namespace

Checked Checker::run(const Node& tree) {
  TypedPtr root = visit(tree);
  if (root) root = whole(std::move(root));
  if (checked_.issues.empty()) checked_.root = std::move(root);
  return std::move(checked_);
}

// What the expression is for.
TypedPtr Checker::whole(TypedPtr value) {
  if (is_unknown(*value) || use_ == Use::column) return is_unknown(*value) ? std::move(value) : shown(std::move(value));
  if (is_text(*value)) return value;
  if (value->type.kind == TypeKind::object && kind(*value) == Kind::text) {
    const std::size_t position = value->position;
    return text(std::move(value), texts_.usual, position);
  }
  if (use_ == Use::condition) return truth(std::move(value), "a condition");
  return number(std::move(value), "a value");
}

TypedPtr Checker::fail(std::size_t position, std::string what, std::string why, std::string mend) {
  checked_.issues.push_back({position, std::move(what), std::move(why), std::move(mend)});
  return nullptr;
}

TypedPtr Checker::unknown(std::size_t position) {
  return make(Op::unknown, Type{.kind = TypeKind::unknown}, position);
}

TypedPtr Checker::visit(const Node& node) {
  switch (node.kind) {
    case NodeKind::number: {
      TypedPtr value = constant(static_cast<std::int64_t>(node.number), node.type);
      value->position = node.position;
      return value;
    }
    case NodeKind::text: {
      const auto bytes = static_cast<std::uint32_t>(node.text.size() + 1);
      TypedPtr value = make(Op::text, Type{.kind = TypeKind::text, .bytes = 0, .text_bytes = bytes}, node.position);
      value->text = node.text;
      return value;
    }
    case NodeKind::name:
      return name(node);
    case NodeKind::unary:
      return visit_unary(node);
    case NodeKind::binary:
      return visit_binary(node);
    case NodeKind::conditional:
      return conditional(node);
    case NodeKind::cast:
      return cast(node);
    case NodeKind::size_of:
      return size_of(node);
    case NodeKind::call:
      return call(node);
    case NodeKind::index:
      return index(node);
    case NodeKind::member:
      break;
  }
  return member(node);
}

TypedPtr Checker::number(TypedPtr value, const std::string& user) {
  const std::size_t position = value->position;
  const std::string name = quoted(scope_.types.name(value->of));
  switch (value->type.kind) {
    case TypeKind::text:
      return fail(position, "text", user + " takes numbers", "texts can be compared with `==` and `!=`");
    case TypeKind::floating:
      return fail(position, user, "floating point is shown as it is, but nothing is computed with it",
                  "show it in a log's field, or in a label");
    case TypeKind::stack:
      return fail(position, user, "a stack is no number", "show it in a log's field, or in a label");
    case TypeKind::object:
      break;
    default:
      return value;
  }
  switch (kind(*value)) {
    case Kind::optional:
      value = value_of_optional(*value, position);
      if (!value || kind(*value) == Kind::optional) break;
      return number(std::move(value), user);
    case Kind::array: {
      const Part* part = part_at(*value, 0, 1);
      if (part == nullptr || part->where != Part::Where::memory) break;
      const TypeId of = scope_.types.pointer_to(scope_.types[value->of].target);
      TypedPtr address = plus(copy(*part->at), -part->offset);
      address->of = of;
      address->position = position;
      return address;
    }
    case Kind::text:
      return fail(position, "text", user + " takes numbers", "texts can be compared with `==` and `!=`");
    case Kind::sequence:
      return fail(position, user, name + " is no number", "there are `.size` and `[i]`");
    default:
      break;
  }
  return value ? fail(position, user, name + " is no number", "choose one of its members") : nullptr;
}

TypedPtr Checker::truth(TypedPtr value, const std::string& user) {
  if (!value) return nullptr;
  if (value->type.kind == TypeKind::object && kind(*value) == Kind::optional) {
    return has_value(*value, value->position);
  }
  if (has_null_word(*value)) {
    const std::size_t position = value->position;
    return null_comparison(Op::unequal, std::move(value), position);
  }
  value = number(std::move(value), user);
  return value ? converted(std::move(value), boolean_type) : nullptr;
}

TypedPtr Checker::visit_unary(const Node& node) {
  const std::string symbol = "`" + node.text + "`";
  if (node.text == "&") return address_of(node);
  TypedPtr operand = visit(*node.children[0]);
  if (!operand || is_unknown(*operand)) return operand;
  if (node.text == "*") return dereferenced(std::move(operand), node.position, symbol);
  if (node.text == "!") {
    operand = truth(std::move(operand), symbol);
    if (!operand || is_null(*operand)) return operand;
    if (is_constant(*operand)) {
      operand->value = 1 - operand->value;
      return operand;
    }
    return make(Op::not_, boolean_type, node.position, std::move(operand));
  }
  operand = number(std::move(operand), symbol);
  if (!operand || is_null(*operand)) return operand;
  if (scope_.types.is_pointer(operand->of)) {
    return fail(node.position, symbol, "an address is no number", "cast it first: `(u64)x`");
  }
  Type type = promoted(operand->type);
  type.is_time = operand->type.is_time && node.text != "~";
  operand = converted(std::move(operand), type);
  if (node.text == "+") return operand;
  return unary(node.text == "-" ? Op::negate : Op::complement, type, std::move(operand));
}

// Address plus or minus a number of elements.
TypedPtr Checker::moved(TypedPtr address, TypedPtr count, Op op, std::size_t position) {
  if (is_unknown(*count)) return count;
  if (scope_.types.is_pointer(count->of) || count->type.is_time) {
    return fail(position, "address", "only a plain number can be added to or taken from an address",
                "cast to u64 first");
  }
  const TypeId of = address->of;
  const auto size = static_cast<std::int64_t>(scope_.types.step(scope_.types[of].target));
  TypedPtr bytes =
      arithmetic(Op::multiply, long_type, converted(std::move(count), long_type), constant(size, long_type), position);
  TypedPtr sum = arithmetic(op, unsigned_long_type, converted(std::move(address), unsigned_long_type),
                            converted(std::move(bytes), unsigned_long_type), position);
  sum->of = of;
  return sum;
}

// Both operands have `type` (shifts: the left one); constants are computed now.
TypedPtr Checker::arithmetic(Op op, Type type, TypedPtr left, TypedPtr right, std::size_t position) {
  const Type operand = left->type;
  if ((op == Op::divide || op == Op::modulo) && is_constant(*right) && right->value == 0) {
    return fail(position, op == Op::divide ? "`/`" : "`%`", "division by zero is null, always",
                "divide by something else");
  }
  if (is_constant(*left) && is_constant(*right)) {
    const Type computed_in = type.kind == TypeKind::boolean ? operand : type;
    TypedPtr value = constant(computed(op, computed_in, left->value, right->value).value_or(0), type);
    value->position = position;
    return value;
  }
  const bool adds_nothing =
      is_constant(*right) && ((op == Op::add && right->value == 0) || (op == Op::multiply && right->value == 1));
  if (adds_nothing) return converted(std::move(left), type);
  return make(op, type, position, std::move(left), std::move(right));
}

TypedPtr Checker::visit_binary(const Node& node) {
  if (node.text == "&&" || node.text == "||") return logic(node);
  TypedPtr left = visit(*node.children[0]);
  TypedPtr right = visit(*node.children[1]);
  if (!left || !right) return nullptr;
  return operate(*binary_op(node.text), "`" + node.text + "`", std::move(left), std::move(right), node.position);
}

TypedPtr Checker::operate(Op op, const std::string& symbol, TypedPtr left, TypedPtr right, std::size_t position) {
  if (is_unknown(*left) || is_unknown(*right)) return unknown(position);
  if (op == Op::equal || op == Op::unequal) {
    const auto text = [&](const Typed& value) {
      return is_text(value) || (value.type.kind == TypeKind::object && is_textual(value));
    };
    if (text(*left) || text(*right)) return text_comparison(op, std::move(left), std::move(right), position);
    if (is_null(*left) != is_null(*right)) {
      return null_comparison(op, is_null(*left) ? std::move(right) : std::move(left), position);
    }
  }
  left = number(std::move(left), symbol);
  if (left) right = number(std::move(right), symbol);
  if (!left || !right) return nullptr;
  if (is_null(*left) || is_null(*right)) return null_at(position);
  if (scope_.types.is_pointer(left->of) || scope_.types.is_pointer(right->of)) {
    return on_addresses(op, symbol, std::move(left), std::move(right), position);
  }
  const std::optional<bool> is_time = unit(op, symbol, *left, *right, position);
  if (!is_time) return nullptr;
  const bool shift = op == Op::shift_left || op == Op::shift_right;
  Type type = shift ? promoted(left->type) : common(left->type, right->type);
  const Type right_type = shift ? promoted(right->type) : type;
  left = converted(std::move(left), type);
  right = converted(std::move(right), right_type);
  type.is_time = *is_time;
  return arithmetic(op, is_comparison(op) ? boolean_type : type, std::move(left), std::move(right), position);
}

// Go's interfaces and slices: of several words, and null if the first is 0.
bool Checker::has_null_word(const Typed& value) const {
  if (value.type.kind != TypeKind::object) return false;
  const DebugType& type = scope_.types[value.of];
  return type.is_interface || (type.kind == Kind::sequence && scope_.subject.abi == Abi::go);
}

// With the literal `null`: an address that is 0, an optional that is empty, whatever else is null.
TypedPtr Checker::null_comparison(Op op, TypedPtr value, std::size_t position) {
  if (is_untyped(*value)) return unknown(position);
  TypedPtr answer;
  if (value->type.kind == TypeKind::object && kind(*value) == Kind::optional) {
    const TypedPtr flag = has_value(*value, position);
    if (!flag) return nullptr;
    answer = make(Op::is_null, boolean_type, position, copy(*flag));
    answer->value = 1;
  } else if (has_null_word(*value)) {
    const DebugType& type = scope_.types[value->of];
    TypedPtr word = word_of(*value, type.kind == Kind::sequence ? type.layout.data_offset : 0, 8);
    if (!word) return fail(position, quoted(scope_.types.name(value->of)), "its parts are not to be had here");
    answer = make(Op::is_null, boolean_type, position, std::move(word));
    answer->value = 1;
  } else {
    value = number(std::move(value), op == Op::equal ? "`==`" : "`!=`");
    if (!value) return nullptr;
    const bool pointer = scope_.types.is_pointer(value->of);
    if (!pointer && !can_be_null(*value) && value->op != Op::result) {
      return fail(position, op == Op::equal ? "`==`" : "`!=`", "what is compared with null is a number, and never null",
                  "compare with 0, or cast it if it is an address: `(void *)x`");
    }
    answer = make(Op::is_null, boolean_type, position, std::move(value));
    answer->value = pointer ? 1 : 0;
  }
  return op == Op::equal ? std::move(answer) : make(Op::not_, boolean_type, position, std::move(answer));
}

TypedPtr Checker::on_addresses(Op op, const std::string& symbol, TypedPtr left, TypedPtr right, std::size_t position) {
  if (is_comparison(op)) {
    return arithmetic(op, boolean_type, converted(std::move(left), unsigned_long_type),
                      converted(std::move(right), unsigned_long_type), position);
  }
  if (op == Op::add && !scope_.types.is_pointer(left->of)) std::swap(left, right);
  const bool first = scope_.types.is_pointer(left->of);
  const bool second = scope_.types.is_pointer(right->of);
  if (op == Op::subtract && first && second && scope_.types[left->of].target == scope_.types[right->of].target) {
    const auto step = static_cast<std::int64_t>(scope_.types.step(scope_.types[left->of].target));
    TypedPtr bytes = arithmetic(Op::subtract, long_type, converted(std::move(left), long_type),
                                converted(std::move(right), long_type), position);
    return step == 1 ? std::move(bytes)
                     : arithmetic(Op::divide, long_type, std::move(bytes), constant(step, long_type), position);
  }
  if ((op == Op::add || op == Op::subtract) && first && !second) {
    return moved(std::move(left), std::move(right), op, position);
  }
  return fail(position, symbol, "an address is no number", "cast it first: `(u64)x`");
}

// Whether the result is a time; nullopt, and told, if the units do not go together.  Zero goes with both.
std::optional<bool> Checker::unit(Op op, const std::string& symbol, const Typed& left, const Typed& right,
                                  std::size_t position) {
  const bool lt = left.type.is_time;
  const bool rt = right.type.is_time;
  if (wants_one_unit(op)) {
    if (lt == rt) return lt;
    const Typed& number = lt ? right : left;
    if (is_constant(number) && number.value == 0) return true;
    fail(number.position, symbol, "a time on one side and a plain number on the other",
         is_constant(number) ? "write the unit you mean: `" + std::to_string(number.value) + "ms`, us, ns, s"
                             : "say what one is worth: `x * 1ns`, or take the time's nanoseconds: `(u64)elapsed`");
    return std::nullopt;
  }
  if (op == Op::multiply) {
    if (!lt || !rt) return lt || rt;
    fail(position, symbol, "a time cannot be multiplied by a time", "take one's nanoseconds: `(u64)elapsed`");
    return std::nullopt;
  }
  if (op == Op::divide) {
    if (lt || !rt) return lt && !rt;
    fail(position, symbol, "a plain number cannot be divided by a time", "take the time's nanoseconds: `(u64)elapsed`");
    return std::nullopt;
  }
  return false;  // bits are bits
}

TypedPtr Checker::logic(const Node& node) {
  const std::string symbol = "`" + node.text + "`";
  TypedPtr left = truth(visit(*node.children[0]), symbol);
  TypedPtr right = truth(visit(*node.children[1]), symbol);
  if (!left || !right) return nullptr;
  if (is_unknown(*left) || is_unknown(*right)) return unknown(node.position);
  const bool is_and = node.text == "&&";
  if (is_null(*left)) return left;
  if (is_constant(*left)) return (left->value != 0) == is_and ? std::move(right) : std::move(left);
  if (is_constant(*right) && (right->value != 0) == is_and) return left;
  return make(is_and ? Op::and_ : Op::or_, boolean_type, node.position, std::move(left), std::move(right));
}

Checked check(const Node& tree, TextLimits texts, Use use, const Scope& scope) {
  return Checker(texts, use, scope).run(tree);
}

bool can_be_null(const Typed& value) {
  if (value.op == Op::is_null) return false;
  if (value.op == Op::null_ || value.op == Op::placed || value.op == Op::read || value.op == Op::string ||
      value.op == Op::laid_out_text || value.op == Op::counted_text || value.op == Op::text_length ||
      value.op == Op::stack || value.op == Op::depth) {
    return true;
  }
  if (value.op == Op::saved && value.null_slot >= 0) return true;
  if ((value.op == Op::result || value.op == Op::result_word) && value.value != 0) return true;
  const bool divides = value.op == Op::divide || value.op == Op::modulo;
  if (divides && value.children[1]->op != Op::constant) return true;
  return std::any_of(value.children.begin(), value.children.end(),
                     [](const TypedPtr& child) { return can_be_null(*child); });
}

}  // namespace diagnose::compile
