// What values are made of: members, elements, what they point to.
#include <algorithm>

#include "compile/check_arithmetic.h"
#include "compile/check_names.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

using Kind = DebugType::Kind;

constexpr std::uint64_t offset_max = std::uint64_t{1} << 40U;  // of a member; a reader may lie
constexpr std::size_t records_max = 1000;                      // looked through for one member: bases of bases
constexpr std::size_t nodes_max = 4096;                        // of one operand, as elements use theirs several times

bool is_record(Kind kind) {
  return kind == Kind::record;
}

std::size_t count_of(const Typed& value) {
  std::size_t count = 1;
  for (const TypedPtr& child : value.children) count += count_of(*child);
  for (const Part& part : value.parts) count += part.at ? count_of(*part.at) : 0;
  return count;
}

TypedPtr or_null(TypedPtr condition, TypedPtr value) {
  const std::size_t position = value->position;
  const Type type = value->type;
  const TypeId of = value->of;
  TypedPtr chosen = make(Op::choose, type, position, std::move(condition), std::move(value));
  chosen->children.push_back(null_at(position));
  chosen->of = of;
  return chosen;
}

// Go and Rust write `.` for a pointer too; their compilers name theirs as the source does, C's have no name.
bool reads_through_a_dot(const std::string& type) {
  return type.starts_with('*') || type.starts_with('&') || type.starts_with("alloc::boxed::Box<");
}

std::string install(const std::string& otherwise) {
  return "install the debug package of the target, build it with -g, or " + otherwise;
}

}  // namespace

DebugType::Kind Checker::kind(const Typed& value) const {
  return scope_.types[value.of].kind;
}

bool Checker::is_untyped(const Typed& value) const {
  return is_unknown(value) || (scope_.offline && (value.op == Op::argument || value.op == Op::result));
}

// Breadth first, as in C++ a class's own members hide those of its bases.
std::optional<Checker::Found> Checker::find_member(TypeId record, const std::string& name) const {
  std::vector<Found> open = {{.type = record}};
  for (std::size_t at = 0; at < open.size() && at < records_max; ++at) {
    const Found outer = open[at];
    for (const DebugType::Member& member : scope_.types[outer.type].members) {
      if (member.offset > offset_max) continue;
      Found found = outer;
      found.type = member.type;
      found.offset += static_cast<std::int64_t>(member.offset);
      found.bits = member.bits;
      found.bit_offset = member.bit_offset;
      found.is_virtual = outer.is_virtual || member.is_virtual;
      if (!member.is_base && member.name == name) return found;
      const bool transparent = member.is_base || member.name.empty();
      if (transparent && open.size() < records_max && found.offset < static_cast<std::int64_t>(offset_max)) {
        open.push_back(found);
      }
    }
  }
  return std::nullopt;
}

TypedPtr Checker::member(const Node& node) {
  const bool arrow = node.text.starts_with("->");
  const std::string name = node.text.substr(arrow ? 2 : 1);
  const Node& outer = *node.children[0];
  if (!arrow && outer.kind == NodeKind::name && outer.text == "arg" && find_variable("arg") == nullptr) {
    if (scope_.offline) return unknown(node.position);
    if (const target::Variable* found = find_variable(name)) return variable(*found, node.position);
    return unknown_variable(name, node.position);
  }
  TypedPtr object = visit(outer);
  if (!object || is_null(*object)) return object;
  if (is_untyped(*object)) return unknown(node.position);
  if (arrow && kind(*object) == Kind::optional) {
    object = value_of_optional(*object, node.position);
    if (!object) return nullptr;
    if (!scope_.types.is_pointer(object->of)) return member_of(std::move(object), name, node.position);
  }
  const bool pointer = scope_.types.is_pointer(object->of) && object->type.kind == TypeKind::integer;
  if (object->type.kind != TypeKind::object && !pointer) {
    const std::string what = quoted(node.text);
    if (scope_.place() == nullptr && object->of == no_type) {
      return fail(node.position, what, "members need debug information, and there is none",
                  install("read at an offset: `*(u32 *)(arg0 + 16)`"));
    }
    return fail(node.position, what,
                object->of == no_type ? "a plain number has no members"
                                      : quoted(scope_.types.name(object->of)) + " has no members",
                "cast it to what it is: `((struct s *)x)->" + name + "`");
  }
  if (arrow && !pointer) {
    return fail(node.position, quoted(node.text), "what stands before it is no pointer", "write `." + name + "`");
  }
  if (pointer && !arrow && !reads_through_a_dot(scope_.types.name(object->of))) {
    return fail(node.position, quoted(node.text), "what stands before it is a pointer", "write `->" + name + "`");
  }
  if (pointer) object = read(std::move(object), node.position, quoted(node.text));
  return object ? member_of(std::move(object), name, node.position) : nullptr;
}

TypedPtr Checker::member_of(TypedPtr object, const std::string& name, std::size_t position) {
  if (is_null(*object)) return object;
  const TypeId of = object->of;
  const DebugType& type = scope_.types[of];
  const std::string of_name = quoted(scope_.types.name(of));
  if (object->type.kind == TypeKind::object) {
    const bool counts = type.kind == Kind::text || type.kind == Kind::sequence;
    if (counts && (name == "size" || name == "length" || name == "len")) return size_of_sequence(*object, position);
    if (type.kind == Kind::optional && name == "has_value") return has_value(*object, position);
  }
  if (object->type.kind != TypeKind::object || !is_record(type.kind)) {
    std::string mend = "use its value itself";
    if (type.kind == Kind::sequence) mend = "there are `.size` and `[i]`";
    if (type.kind == Kind::text) mend = "there is `.size`; its text is `str(x)`";
    if (type.kind == Kind::optional) mend = "there is `.has_value`; its value is `*x`";
    if (type.kind == Kind::array) mend = "choose an element: `[0]`";
    if (type.kind == Kind::pointer) mend = "write `->" + name + "`";
    return fail(position, quoted(name), of_name + " has no members", std::move(mend));
  }
  const std::optional<Found> found = find_member(of, name);
  if (!found) {
    std::vector<std::string_view> known;
    for (const DebugType::Member& member : type.members) {
      if (!member.name.empty() && !member.is_base) known.push_back(member.name);
    }
    std::string mend;
    if (const std::string near = nearest(name, known); !near.empty()) {
      mend = "did you mean `" + near + "`?";
    } else {
      for (const std::string_view member : known) {
        if (mend.size() < 80) mend += (mend.empty() ? "there are `" : ", `") + std::string(member) + "`";
      }
    }
    if (!type.expanded) mend = "write the whole path from a parameter on, so that it is looked up";
    return fail(position, quoted(name), "no such member in " + of_name, std::move(mend));
  }
  if (found->is_virtual) {
    return fail(position, quoted(name), "belongs to a virtual base, whose place only the running program knows",
                "cast the base's own address");
  }
  if (found->bits > 0) return bit_field(*object, *found, name, position);
  object->text = name;
  return from(*object, found->type, found->offset, position);
}

TypedPtr Checker::bit_field(const Typed& object, const Found& found, const std::string& name, std::size_t position) {
  const std::int64_t start = found.offset + found.bit_offset / 8;
  const unsigned shift = found.bit_offset % 8;
  const unsigned bytes = (shift + found.bits + 7U) / 8U;
  const Type type = scope_.types.value(found.type);
  TypedPtr word = bytes <= 8 ? word_of(object, start, static_cast<std::uint8_t>(bytes)) : nullptr;
  if (!word || (type.kind != TypeKind::integer && type.kind != TypeKind::boolean)) {
    return fail(position, quoted(name), "this bit-field cannot be read in one piece");
  }
  TypedPtr value = make(Op::bits, type, position, std::move(word));
  value->value = shift;
  value->count = found.bits;
  value->of = found.type;
  return value;
}

TypedPtr Checker::size_of_sequence(const Typed& sequence, std::size_t position) {
  const DebugType& type = scope_.types[sequence.of];
  const std::uint64_t step = type.kind == Kind::text ? 1 : scope_.types.step(type.target);
  TypedPtr length = length_of(sequence, type.layout, step);
  if (!length) return fail(position, quoted(scope_.types.name(sequence.of)), "its parts are not to be had here");
  length->position = position;
  return length;
}

TypedPtr Checker::has_value(const Typed& optional, std::size_t position) {
  const DebugType::Layout& layout = scope_.types[optional.of].layout;
  const std::uint8_t bytes = layout.flag_bytes;
  const bool readable = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  TypedPtr flag = readable ? word_of(optional, layout.size_offset, bytes) : nullptr;
  if (!flag) return fail(position, quoted(scope_.types.name(optional.of)), "its flag is not to be had here");
  const Type type = flag->type;
  return make(Op::unequal, boolean_type, position, std::move(flag),
              constant(static_cast<std::int64_t>(layout.none), type));
}

TypedPtr Checker::value_of_optional(const Typed& optional, std::size_t position) {
  const DebugType& type = scope_.types[optional.of];
  if (count_of(optional) > nodes_max) return fail(position, "expression", "too large", "simplify it");
  TypedPtr condition = has_value(optional, position);
  TypedPtr value = condition ? from(optional, type.target, type.layout.data_offset, position) : nullptr;
  if (!value) return nullptr;
  if (value->op != Op::object) return or_null(std::move(condition), std::move(value));
  for (Part& part : value->parts) {
    if (part.at) part.at = or_null(copy(*condition), std::move(part.at));
  }
  return value;
}

TypedPtr Checker::read(TypedPtr address, std::size_t position, const std::string& symbol) {
  if (is_null(*address)) return address;
  if (is_untyped(*address)) return unknown(position);
  if (!scope_.types.is_pointer(address->of)) {
    if (scope_.place() != nullptr && address->of != no_type) {
      return fail(position, symbol, quoted(scope_.types.name(address->of)) + " is no pointer",
                  "cast it if it is an address: `*(u32 *)x`");
    }
    return fail(position, symbol, "what it points at is not known: without debug information arguments are integers",
                symbol == "`[]`" ? "say it with a cast: `((int *)arg0)[2]`" : "say it with a cast: `*(u32 *)arg0`");
  }
  const TypeId target = scope_.types[address->of].target;
  if (kind(*address) == Kind::pointer && scope_.types[target].kind == Kind::nothing) {
    return fail(position, symbol, "a `void *` points at nothing in particular",
                "say what it is with a cast: `*(u32 *)arg0`");
  }
  address->of = no_type;
  return load(target, std::move(address), false, position);
}

TypedPtr Checker::dereferenced(TypedPtr value, std::size_t position, const std::string& symbol) {
  if (value->type.kind == TypeKind::object) {
    if (kind(*value) == Kind::optional) return value_of_optional(*value, position);
    if (kind(*value) == Kind::array) return element(*value, constant(0, long_type), position);
  }
  value = number(std::move(value), symbol);
  return value ? read(std::move(value), position, symbol) : nullptr;
}

TypedPtr Checker::address_of(const Node& node) {
  TypedPtr operand = visit(*node.children[0]);
  if (!operand || is_null(*operand)) return operand;
  if (is_untyped(*operand)) return unknown(node.position);
  TypedPtr address;
  if (operand->op == Op::read) {
    address = std::move(operand->children[0]);
  } else if (operand->op == Op::object && !operand->parts.empty()) {
    Part& first = operand->parts.front();
    if (operand->parts.size() == 1 && first.where == Part::Where::memory) {
      address = plus(std::move(first.at), -first.offset);
    }
  }
  if (!address) {
    return fail(
        node.position, "`&`",
        operand->op == Op::bits ? "a bit-field has no address" : "its operand is not in memory: it has no address",
        operand->op == Op::argument ? "an argument that is an address is one already: `arg0`" : "");
  }
  const TypeId of = scope_.types.pointer_to(operand->of);
  address = converted(std::move(address), unsigned_long_type);
  address->of = of;
  address->position = node.position;
  return address;
}

TypedPtr Checker::index(const Node& node) {
  TypedPtr base = visit(*node.children[0]);
  TypedPtr subscript = visit(*node.children[1]);
  if (subscript) subscript = number(std::move(subscript), "`[]`");
  if (!base || !subscript) return nullptr;
  if (is_untyped(*base)) return unknown(node.position);
  if (is_null(*base) || is_null(*subscript)) return null_at(node.position);
  const Kind of = kind(*base);
  const bool elements =
      base->type.kind == TypeKind::object && (of == Kind::array || of == Kind::sequence || of == Kind::text);
  if (elements) return element(*base, std::move(subscript), node.position);
  base = number(std::move(base), "`[]`");
  if (!base) return nullptr;
  if (!scope_.types.is_pointer(base->of)) return read(std::move(base), node.position, "`[]`");
  TypedPtr address = moved(std::move(base), std::move(subscript), Op::add, node.position);
  return address ? read(std::move(address), node.position, "`[]`") : nullptr;
}

TypedPtr Checker::element(const Typed& array, TypedPtr subscript, std::size_t position) {
  if (is_unknown(*subscript)) return subscript;
  if (scope_.types.is_pointer(subscript->of) || subscript->type.is_time) {
    return fail(position, "`[]`", "its index is no plain number", "cast to u64 first");
  }
  if (count_of(array) + count_of(*subscript) > nodes_max)
    return fail(position, "expression", "too large", "simplify it");
  const DebugType& type = scope_.types[array.of];
  const TypeId of = type.target != no_type || type.kind != Kind::text
                        ? type.target
                        : scope_.types.of(Type{.bytes = 1, .is_signed = true});
  const std::uint64_t step = scope_.types.step(of);
  const bool is_array = type.kind == Kind::array;
  if (is_array && is_constant(*subscript)) {
    const std::int64_t at = subscript->value;
    const bool outside = at < 0 || (type.count > 0 && static_cast<std::uint64_t>(at) >= type.count);
    if (type.count > 1 ? outside : at < 0 || static_cast<std::uint64_t>(at) > offset_max / step) {
      return fail(position, "`[]`", quoted(scope_.types.name(array.of)) + " has no element " + std::to_string(at));
    }
    return from(array, of, at * static_cast<std::int64_t>(step), position);
  }
  TypedPtr data;
  TypedPtr length;
  if (is_array) {
    const Part* part = part_at(array, 0, scope_.types.bytes(of));
    if (part != nullptr && part->where == Part::Where::memory) data = plus(copy(*part->at), -part->offset);
    if (type.count > 1) length = constant(static_cast<std::int64_t>(type.count), unsigned_long_type);
  } else {
    data = characters_of(array, type.layout);
    length = size_of_sequence(array, position);
    if (!length) return nullptr;
  }
  if (!data) {
    return fail(position, "`[]`", quoted(scope_.types.name(array.of)) + " is in registers here",
                "use a constant index");
  }
  TypedPtr at = converted(converted(std::move(subscript), long_type), unsigned_long_type);
  TypedPtr bytes = arithmetic(Op::multiply, unsigned_long_type, copy(*at),
                              constant(static_cast<std::int64_t>(step), unsigned_long_type), position);
  TypedPtr address = arithmetic(Op::add, unsigned_long_type, std::move(data), std::move(bytes), position);
  if (length) {
    TypedPtr inside = make(Op::less, boolean_type, position, std::move(at), std::move(length));
    address = or_null(std::move(inside), std::move(address));
  }
  return load(of, std::move(address), false, position);
}

}  // namespace diagnose::compile
