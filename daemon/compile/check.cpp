#include "compile/check.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "compile/check_arithmetic.h"
#include "compile/check_names.h"

namespace diagnose::compile {
namespace {

constexpr std::size_t literal_chars = 62;  // compared on the BPF stack, with a NUL and one more to see what is longer

bool is_constant(const Typed& value) {
  return value.op == Op::constant;
}
bool is_null(const Typed& value) {
  return value.op == Op::null_;
}
bool is_text(const Typed& value) {
  return value.type.kind == TypeKind::text;
}

TypedPtr make(Op op, Type type, std::size_t position, TypedPtr first = nullptr, TypedPtr second = nullptr) {
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

class Checker {
 public:
  Checker(TextLimits texts, Abi abi) : texts_(texts), abi_(abi) {}

  Checked run(const Node& tree) {
    checked_.root = visit(tree);
    if (!checked_.issues.empty()) checked_.root = nullptr;
    return std::move(checked_);
  }

 private:
  TypedPtr fail(std::size_t position, std::string what, std::string why, std::string mend = {}) {
    checked_.issues.push_back({position, std::move(what), std::move(why), std::move(mend)});
    return nullptr;
  }

  TypedPtr visit(const Node& node) {
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
      case NodeKind::call:
        return call(node);
      case NodeKind::index:
        return index(node);
      case NodeKind::member:
        break;
    }
    return fail(node.position, "`" + node.text + "`",
                "members need debug information, which this version does not read yet",
                "read at an offset: `*(u32 *)(arg0 + 16)`");
  }

  TypedPtr name(const Node& node) {
    TypedPtr value = named_value(node.text, node.position, abi_);
    if (!value) {
      checked_.issues.push_back(unknown_name(node.text, node.position, abi_));
      return nullptr;
    }
    if (value->op == Op::result && !checked_.result_at) checked_.result_at = node.position;
    if (value->op == Op::elapsed && !checked_.elapsed_at) checked_.elapsed_at = node.position;
    if (value->op == Op::error && !checked_.error_at) checked_.error_at = node.position;
    return value;
  }

  // True if `value` is a number, boolean, address or null; else tells.
  bool is_number(const Typed& value, const std::string& user) {
    if (!is_text(value)) return true;
    fail(value.position, "text", user + " takes numbers", "texts can be compared with `==` and `!=`");
    return false;
  }

  // As a condition: a boolean, or null.
  TypedPtr truth(TypedPtr value, const std::string& user) {
    if (!value || !is_number(*value, user)) return nullptr;
    return converted(std::move(value), boolean_type);
  }

  TypedPtr visit_unary(const Node& node) {
    const std::string symbol = "`" + node.text + "`";
    if (node.text == "&") {
      return fail(node.position, symbol,
                  "addresses of names need debug information, which this version does not read yet",
                  "an argument that is an address is one already: `arg0`");
    }
    TypedPtr operand = visit(*node.children[0]);
    if (!operand || !is_number(*operand, symbol)) return nullptr;
    if (is_null(*operand)) return operand;
    if (node.text == "*") return read(std::move(operand), node.position);
    if (node.text == "!") {
      operand = truth(std::move(operand), symbol);
      if (is_constant(*operand)) {
        operand->value = 1 - operand->value;
        return operand;
      }
      return make(Op::not_, boolean_type, node.position, std::move(operand));
    }
    if (operand->pointers > 0) {
      return fail(node.position, symbol, "an address is no number", "cast it first: `(u64)x`");
    }
    Type type = promoted(operand->type);
    type.is_time = operand->type.is_time && node.text != "~";
    operand = converted(std::move(operand), type);
    if (node.text == "+") return operand;
    return unary(node.text == "-" ? Op::negate : Op::complement, type, std::move(operand));
  }

  TypedPtr read(TypedPtr address, std::size_t position) {
    if (address->pointers == 0) {
      return fail(position, "`*`", "what it points at is not known: without debug information arguments are integers",
                  "say it with a cast: `*(u32 *)arg0`");
    }
    if (address->pointers == 1 && address->pointee.kind == TypeKind::nothing) {
      return fail(position, "`*`", "a `void *` points at nothing in particular",
                  "say what it is with a cast: `*(u32 *)arg0`");
    }
    const unsigned pointers = address->pointers - 1;
    const Type pointee = address->pointee;
    TypedPtr value = make(Op::read, pointers > 0 ? unsigned_long_type : pointee, position, std::move(address));
    value->pointers = pointers;
    value->pointee = pointee;
    return value;
  }

  TypedPtr index(const Node& node) {
    TypedPtr base = visit(*node.children[0]);
    TypedPtr subscript = visit(*node.children[1]);
    if (!base || !subscript || !is_number(*base, "`[]`") || !is_number(*subscript, "`[]`")) return nullptr;
    if (is_null(*base) || is_null(*subscript)) return null_at(node.position);
    if (base->pointers == 0) {
      return fail(node.position, "`[]`",
                  "what it points at is not known: without debug information arguments are integers",
                  "say it with a cast: `((int *)arg0)[2]`");
    }
    TypedPtr address = moved(std::move(base), std::move(subscript), Op::add, node.position);
    return address ? read(std::move(address), node.position) : nullptr;
  }

  // Address plus or minus a number of elements.
  TypedPtr moved(TypedPtr address, TypedPtr count, Op op, std::size_t position) {
    if (count->pointers > 0 || count->type.is_time) {
      return fail(position, "address", "only a plain number can be added to or taken from an address",
                  "cast to u64 first");
    }
    const unsigned pointers = address->pointers;
    const Type pointee = address->pointee;
    const std::int64_t size = pointers > 1 ? 8 : std::max<std::int64_t>(pointee.bytes, 1);
    TypedPtr bytes = arithmetic(Op::multiply, long_type, converted(std::move(count), long_type),
                                constant(size, long_type), position);
    TypedPtr sum = arithmetic(op, unsigned_long_type, converted(std::move(address), unsigned_long_type),
                              converted(std::move(bytes), unsigned_long_type), position);
    sum->pointers = pointers;
    sum->pointee = pointee;
    return sum;
  }

  // Both operands have `type` (shifts: the left one); constants are computed now.
  TypedPtr arithmetic(Op op, Type type, TypedPtr left, TypedPtr right, std::size_t position) {
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

  TypedPtr visit_binary(const Node& node) {
    if (node.text == "&&" || node.text == "||") return logic(node);
    TypedPtr left = visit(*node.children[0]);
    TypedPtr right = visit(*node.children[1]);
    if (!left || !right) return nullptr;
    return operate(*binary_op(node.text), "`" + node.text + "`", std::move(left), std::move(right), node.position);
  }

  TypedPtr operate(Op op, const std::string& symbol, TypedPtr left, TypedPtr right, std::size_t position) {
    if ((op == Op::equal || op == Op::unequal) && (is_text(*left) || is_text(*right))) {
      return text_comparison(op, std::move(left), std::move(right), position);
    }
    const bool numbers = is_number(*left, symbol) && is_number(*right, symbol);
    if (!numbers) return nullptr;
    if (is_null(*left) || is_null(*right)) return null_at(position);
    if (left->pointers > 0 || right->pointers > 0) {
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

  TypedPtr on_addresses(Op op, const std::string& symbol, TypedPtr left, TypedPtr right, std::size_t position) {
    if (is_comparison(op)) {
      return arithmetic(op, boolean_type, converted(std::move(left), unsigned_long_type),
                        converted(std::move(right), unsigned_long_type), position);
    }
    if (op == Op::add && left->pointers == 0) std::swap(left, right);
    const bool element = (op == Op::add || op == Op::subtract) && left->pointers > 0 && right->pointers == 0;
    if (element) return moved(std::move(left), std::move(right), op, position);
    return fail(position, symbol, "an address is no number", "cast it first: `(u64)x`");
  }

  // Whether the result is a time; nullopt, and told, if the units do not go together.  Zero goes with both.
  std::optional<bool> unit(Op op, const std::string& symbol, const Typed& left, const Typed& right,
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
      fail(position, symbol, "a plain number cannot be divided by a time",
           "take the time's nanoseconds: `(u64)elapsed`");
      return std::nullopt;
    }
    return false;  // bits are bits
  }

  TypedPtr text_comparison(Op op, TypedPtr left, TypedPtr right, std::size_t position) {
    if (left->op == Op::text) std::swap(left, right);
    if (is_null(*left) || is_null(*right)) return null_at(position);
    const bool comparable = is_text(*left) && left->op != Op::text && right->op == Op::text;
    if (!comparable) {
      return fail(position, "text", "a text can only be compared with a literal text",
                  "write `str(arg0) == \"...\"` or `comm == \"...\"`");
    }
    const std::size_t most = std::min<std::size_t>(left->type.text_bytes - 1, literal_chars);
    if (right->text.size() > most) {
      return fail(right->position, "text", "longer than the " + std::to_string(most) + " characters that are compared",
                  "shorten it");
    }
    TypedPtr value = make(op == Op::equal ? Op::text_equal : Op::text_unequal, boolean_type, position, std::move(left));
    value->text = right->text;
    return value;
  }

  TypedPtr logic(const Node& node) {
    const std::string symbol = "`" + node.text + "`";
    TypedPtr left = truth(visit(*node.children[0]), symbol);
    TypedPtr right = truth(visit(*node.children[1]), symbol);
    if (!left || !right) return nullptr;
    const bool is_and = node.text == "&&";
    if (is_null(*left)) return left;
    if (is_constant(*left)) return (left->value != 0) == is_and ? std::move(right) : std::move(left);
    if (is_constant(*right) && (right->value != 0) == is_and) return left;
    return make(is_and ? Op::and_ : Op::or_, boolean_type, node.position, std::move(left), std::move(right));
  }

  TypedPtr conditional(const Node& node) {
    TypedPtr condition = truth(visit(*node.children[0]), "`?:`");
    TypedPtr yes = visit(*node.children[1]);
    TypedPtr no = visit(*node.children[2]);
    if (!condition || !yes || !no) return nullptr;
    if (is_text(*yes) || is_text(*no)) {
      return fail(node.position, "`?:`", "chooses between numbers only in this version",
                  "use the condition itself: a boolean is shown as true or false");
    }
    if (is_null(*condition) || (is_null(*yes) && is_null(*no))) return null_at(node.position);
    if ((yes->pointers > 0 || no->pointers > 0) && !same_pointers(*yes, *no)) {
      return fail(node.position, "`?:`", "chooses between an address and something else", "cast both to one type");
    }
    const Typed& typed = is_null(*yes) ? *no : *yes;
    Type type = typed.type;
    const unsigned pointers = typed.pointers;
    const Type pointee = typed.pointee;
    if (!is_null(*yes) && !is_null(*no) && pointers == 0) {
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
    value->pointers = is_null(*value) ? 0 : pointers;
    value->pointee = pointee;
    return value;
  }

  static bool same_pointers(const Typed& a, const Typed& b) {
    if (is_null(a) || is_null(b)) return true;
    return a.pointers == b.pointers && same_number(a.pointee, b.pointee);
  }

  TypedPtr cast(const Node& node) {
    TypedPtr operand = visit(*node.children[0]);
    const WrittenType& written = node.written;
    if (written.unknown == "float" || written.unknown == "double") {
      return fail(node.position, "`" + written.unknown + "`",
                  "floating point travels in xmm registers, which a uprobe cannot read", "measure an integer");
    }
    if (!written.unknown.empty()) {
      return fail(node.position, "`" + written.unknown + "`",
                  "types of the target need debug information, which this version does not read yet",
                  "read at an offset: `*(u32 *)(arg0 + 16)`");
    }
    if (!operand || !is_number(*operand, "a cast")) return nullptr;
    if (is_null(*operand)) return operand;
    if (written.pointers == 0) {
      if (written.base.kind != TypeKind::nothing) return placed(converted(std::move(operand), written.base), node);
      return fail(node.position, "`void`", "has no values", "cast to a number or a pointer");
    }
    TypedPtr value = placed(converted(std::move(operand), unsigned_long_type), node);
    value->pointers = written.pointers;
    value->pointee = written.base;
    return value;
  }

  // Faults of a cast value point at the cast.
  static TypedPtr placed(TypedPtr value, const Node& node) {
    value->position = node.position;
    return value;
  }

  TypedPtr call(const Node& node) {
    const std::size_t count = node.children.size();
    const std::string what = "`" + node.text + "`";
    struct Arity {
      std::string_view name;
      std::size_t least, most;
      std::string_view keyword;  // of the second value
    };
    static constexpr std::array<Arity, 5> arities = {
        {{"str", 1, 2, "n"}, {"mag", 1, 2, "base"}, {"min", 2, 2, ""}, {"max", 2, 2, ""}, {"abs", 1, 1, ""}}};
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
    if (node.text == "str") return string(node, std::move(values));
    if (node.text == "mag") return magnitude(node, std::move(values));
    if (node.text == "abs") return absolute(node, std::move(values[0]));
    return operate(node.text == "min" ? Op::minimum : Op::maximum, what, std::move(values[0]), std::move(values[1]),
                   node.position);
  }

  TypedPtr string(const Node& node, std::vector<TypedPtr> values) {
    std::uint32_t bytes = texts_.usual;
    if (values.size() == 2) {
      const Typed& wanted = *values[1];
      if (!is_constant(wanted) || wanted.value < 1 || wanted.value > texts_.most) {
        return fail(wanted.position, "`str`",
                    "its length is a constant from 1 to " + std::to_string(texts_.most) + " here",
                    "write for example `str(arg0, 64)`");
      }
      bytes = (static_cast<std::uint32_t>(wanted.value) + 7U) & ~7U;
    }
    TypedPtr address = std::move(values[0]);
    if (is_null(*address)) return address;
    const bool of_characters = address->pointers == 0 || (address->pointers == 1 && address->pointee.bytes <= 1);
    const bool readable =
        address->type.kind == TypeKind::integer && address->type.bytes == 8 && !address->type.is_time && of_characters;
    if (!readable) {
      return fail(address->position, "`str`", "needs an address of characters", "write for example `str(arg0)`");
    }
    const Type type{.kind = TypeKind::text, .bytes = 0, .is_signed = false, .is_time = false, .text_bytes = bytes};
    return make(Op::string, type, node.position, std::move(address));
  }

  TypedPtr magnitude(const Node& node, std::vector<TypedPtr> values) {
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

  TypedPtr absolute(const Node& node, TypedPtr operand) {
    operand = promoted_operand(std::move(operand), "`abs`");
    if (!operand || is_null(*operand) || !operand->type.is_signed) return operand;
    const Type type = operand->type;
    if (is_constant(*operand)) {
      if (operand->value < 0) operand->value = computed(Op::subtract, type, 0, operand->value).value_or(0);
      return operand;
    }
    return make(Op::absolute, type, node.position, std::move(operand));
  }

  // A number of at least `int`'s width, its unit kept.
  TypedPtr promoted_operand(TypedPtr operand, const std::string& user) {
    if (!is_number(*operand, user)) return nullptr;
    if (is_null(*operand)) return operand;
    Type type = promoted(operand->type);
    type.is_time = operand->type.is_time;
    return converted(std::move(operand), type);
  }

  TextLimits texts_;
  Abi abi_;
  Checked checked_;
};

}  // namespace

TypedPtr constant(std::int64_t value, Type type) {
  TypedPtr made = make(Op::constant, type, 0);
  made->value = canonical(value, type);
  return made;
}

TypedPtr converted(TypedPtr value, Type type) {
  if (is_null(*value)) return value;
  value->pointers = 0;
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
  if (is_null(*operand)) return operand;
  if (is_constant(*operand)) {
    const auto bits = static_cast<std::uint64_t>(operand->value);
    TypedPtr value = constant(static_cast<std::int64_t>(op == Op::negate ? 0 - bits : ~bits), type);
    value->position = operand->position;
    return value;
  }
  const std::size_t position = operand->position;
  return make(op, type, position, std::move(operand));
}

Checked check(const Node& tree, TextLimits texts, Abi abi) {
  return Checker(texts, abi).run(tree);
}

bool can_be_null(const Typed& value) {
  if (value.op == Op::null_ || value.op == Op::read || value.op == Op::string) return true;
  if (value.op == Op::result && value.value != 0) return true;
  const bool divides = value.op == Op::divide || value.op == Op::modulo;
  if (divides && value.children[1]->op != Op::constant) return true;
  return std::any_of(value.children.begin(), value.children.end(),
                     [](const TypedPtr& child) { return can_be_null(*child); });
}

}  // namespace diagnose::compile
