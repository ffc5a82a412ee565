// What names stand for, and where their values are.
#include <algorithm>
#include <array>
#include <limits>

#include "compile/check_arithmetic.h"
#include "compile/check_names.h"
#include "compile/checker.h"
#include "target/dwarf_registers.h"

namespace diagnose::compile {
namespace {

using target::Piece;
using Kind = DebugType::Kind;

constexpr std::uint8_t encoding_rax = 0;
constexpr std::uint8_t encoding_rdx = 2;
constexpr std::uint64_t all_of_it = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t pieces_max = 64;

std::string register_name(std::uint8_t encoding) {
  static constexpr std::array<const char*, 17> names = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",
                                                        "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
  return encoding < names.size() ? std::string("%") + names[encoding] : "a register";
}

std::string function_of(const target::Described& place) {
  return place.function.empty() ? "the function" : quoted(place.function);
}

}  // namespace

const target::Described* Scope::place() const {
  const target::DebugInfo* debug = subject.debug;
  if (debug == nullptr || !debug->present || subject.place >= debug->places.size()) return nullptr;
  const target::Described& place = debug->places[subject.place];
  return place.function.empty() && place.variables.empty() ? nullptr : &place;
}

// ---- names ----

const target::Variable* Checker::find_variable(const std::string& name) const {
  const target::Described* place = scope_.place();
  if (place == nullptr || name.empty()) return nullptr;
  // A local hides a parameter; inner locals come first.
  for (const bool parameters : {false, true}) {
    for (const target::Variable& variable : place->variables) {
      if (variable.is_parameter == parameters && variable.name == name) return &variable;
    }
  }
  return nullptr;
}

const target::NamedConstant* Checker::find_constant(const std::string& name) const {
  const target::DebugInfo* debug = scope_.subject.debug;
  if (debug == nullptr) return nullptr;
  const auto found = std::find_if(debug->constants.begin(), debug->constants.end(),
                                  [&](const auto& known) { return known.name == name && known.type != no_type; });
  return found == debug->constants.end() ? nullptr : &*found;
}

TypedPtr Checker::enumerator(const target::NamedConstant& found, std::size_t position) {
  Type type = scope_.types.value(found.type);
  if (type.kind != TypeKind::integer && type.kind != TypeKind::boolean) type = long_type;
  TypedPtr value = constant(found.value, type);
  value->position = position;
  value->of = found.type;
  return value;
}

TypedPtr Checker::name(const Node& node) {
  const std::string& name = node.text;
  const Abi abi = scope_.subject.abi;
  if (name.find('!') != std::string::npos) return of_module(node);
  if (name.find("::") != std::string::npos) return qualified(node);
  if (scope_.place() != nullptr) {
    if (const auto number = argument_number(name)) return numbered(*number, node);
    if (name == "result") return result(node.position);
  }
  if (TypedPtr value = named_value(name, node.position, abi)) {
    if (value->op == Op::result && !checked_.result_at) checked_.result_at = node.position;
    if (value->op == Op::elapsed && !checked_.elapsed_at) checked_.elapsed_at = node.position;
    if (value->op == Op::error && !checked_.error_at) checked_.error_at = node.position;
    if (value->op == Op::depth && !checked_.depth_at) checked_.depth_at = node.position;
    if (value->op == Op::stack && !checked_.stack_at) checked_.stack_at = node.position;
    const bool entered = scope_.place() == nullptr || scope_.place()->at_entry;
    if (name == "caller" && !entered) {
      return fail(node.position, "`caller`", "known where a function is entered, and this is a place inside of one",
                  "use `ustack`");
    }
    return value;
  }
  if (scope_.offline && abi == Abi::none && argument_number(name)) return unknown(node.position);
  if (auto issue = refused_name(name, node.position, abi)) {
    checked_.issues.push_back(std::move(*issue));
    return nullptr;
  }
  if (scope_.offline) return unknown(node.position);
  if (const target::Variable* found = find_variable(name)) return variable(*found, node.position);
  const std::size_t issues = checked_.issues.size();
  TypedPtr member = through_this(name, node.position);
  if (member || checked_.issues.size() > issues) return member;
  if (const target::NamedConstant* found = find_constant(name)) return enumerator(*found, node.position);
  return unknown_variable(name, node.position);
}

// Null without a fault: `this` has no such member, or there is no `this`.
TypedPtr Checker::through_this(const std::string& name, std::size_t position) {
  const target::Variable* self = find_variable("this");
  if (self == nullptr || !scope_.types.is_pointer(self->type)) return nullptr;
  if (!find_member(scope_.types[self->type].target, name)) return nullptr;
  TypedPtr object = variable(*self, position);
  if (object) object = dereferenced(std::move(object), position, quoted(name));
  return object ? member_of(std::move(object), name, position) : nullptr;
}

TypedPtr Checker::unknown_variable(const std::string& name, std::size_t position) {
  const target::DebugInfo* debug = scope_.subject.debug;
  const target::Described* place = scope_.place();
  std::vector<std::string_view> known;
  if (place != nullptr) {
    for (const target::Variable& variable : place->variables) {
      if (!variable.name.empty()) known.push_back(variable.name);
    }
    if (const target::Variable* self = find_variable("this")) {
      for (const DebugType::Member& member : scope_.types[scope_.types[self->type].target].members) {
        if (!member.name.empty()) known.push_back(member.name);
      }
    }
  }
  std::string near = nearest(name, known);
  if (near.empty()) near = near_built_in(name, scope_.subject.abi);
  if (name == "nil" || name == "nullptr" || name == "NULL" || name == "None") near = "null";
  if (!near.empty()) return fail(position, quoted(name), "unknown name", "did you mean `" + near + "`?");
  if (place != nullptr) {
    std::string names;
    for (const target::Variable& variable : place->variables) {
      if (variable.name.empty() || names.size() > 80) continue;
      names += (names.empty() ? "`" : ", `") + variable.name + "`";
    }
    return fail(
        position, quoted(name), "neither a parameter of " + function_of(*place) + " nor an enumerator",
        names.empty() ? "globals are written `::name`" : "there are " + names + "; globals are written `::name`");
  }
  if (debug != nullptr && debug->present) {
    return fail(position, quoted(name), "no debug information covers this function",
                "use the parameter's position: `arg0` to `arg5`");
  }
  std::string mend =
      "install the debug package of the target, build it with -g, or use the parameter's position: "
      "`arg0` to `arg5`";
  if (debug != nullptr && !debug->missing.empty()) mend += " (looked for " + debug->missing + ")";
  return fail(position, quoted(name), "unknown name; names of parameters need debug information, and there is none",
              std::move(mend));
}

// `Color::red`, `::counter`, `ns::counter`.
TypedPtr Checker::qualified(const Node& node) {
  if (scope_.offline) return unknown(node.position);
  const target::DebugInfo* debug = scope_.subject.debug;
  if (debug == nullptr || !debug->present) {
    return fail(node.position, quoted(node.text), "globals and enumerators need debug information, and there is none",
                "install the debug package of the target, build it with -g, or write the number");
  }
  const std::string name = node.text.starts_with("::") ? node.text.substr(2) : node.text;
  if (const target::NamedConstant* found = find_constant(name)) return enumerator(*found, node.position);
  const auto found = std::find_if(debug->globals.begin(), debug->globals.end(),
                                  [&](const target::Global& global) { return global.name == name; });
  if (found == debug->globals.end() || (found->type == no_type && found->why.empty())) {
    return fail(node.position, quoted(node.text), "neither a global nor an enumerator of the target",
                "write it as the source does, with its namespace: `ns::name`, `Color::red`");
  }
  if (!found->why.empty()) return fail(node.position, quoted(node.text), found->why);
  const Piece piece{.where = Piece::Where::memory, .offset = static_cast<std::int64_t>(raw(found->address))};
  return of_pieces(found->type, {piece}, {.of_result = false, .name = name}, node.position);
}

// `libx.so!counter`
TypedPtr Checker::of_module(const Node& node) {
  if (scope_.offline) return unknown(node.position);
  const auto& others = scope_.subject.others;
  const auto found =
      std::find_if(others.begin(), others.end(), [&](const OtherGlobal& global) { return global.name == node.text; });
  if (found == others.end()) return fail(node.position, quoted(node.text), "not known here");
  if (!found->why.empty()) return fail(node.position, quoted(node.text), found->why, found->mend);
  if (found->own) {
    const Piece piece{.where = Piece::Where::memory, .offset = static_cast<std::int64_t>(raw(*found->own))};
    return of_pieces(found->type, {piece}, {.of_result = false, .name = node.text}, node.position);
  }
  TypedPtr address = make(Op::placed, unsigned_long_type, node.position,
                          constant(static_cast<std::int64_t>(found->layout), unsigned_long_type));
  address->value = static_cast<std::int64_t>(raw(found->address));
  TypedPtr value = load(found->type, std::move(address), false, node.position);
  if (value) value->text = node.text;
  return value;
}

TypedPtr Checker::variable(const target::Variable& variable, std::size_t position) {
  if (!variable.why.empty()) return fail(position, quoted(variable.name), variable.why);
  return of_pieces(variable.type, variable.pieces, {.of_result = false, .name = variable.name}, position);
}

// `arg2`: the third parameter, wherever the ABI has put it.
TypedPtr Checker::numbered(std::uint64_t number, const Node& node) {
  const target::Described& place = *scope_.place();
  std::uint64_t count = 0;
  for (const target::Variable& variable : place.variables) {
    if (!variable.is_parameter) continue;
    if (count++ != number) continue;
    if (!variable.why.empty()) return fail(node.position, quoted(node.text), variable.why);
    return of_pieces(variable.type, variable.pieces, {.of_result = false, .name = node.text}, node.position);
  }
  return fail(node.position, quoted(node.text),
              function_of(place) + " has " + (count == 0 ? "no" : "only " + std::to_string(count)) +
                  (count == 1 ? " parameter" : " parameters"),
              count == 0 ? "leave it out"
                         : "use `arg0`" + (count > 1 ? " to `arg" + std::to_string(count - 1) + "`" : std::string()));
}

TypedPtr Checker::result(std::size_t position) {
  const target::Described& place = *scope_.place();
  if (!checked_.result_at) checked_.result_at = position;
  if (!place.result_why.empty()) return fail(position, "`result`", place.result_why);
  if (place.result == no_type) {
    return fail(position, "`result`", function_of(place) + " returns nothing", "leave it out");
  }
  return of_pieces(place.result, place.result_pieces, {.of_result = true, .name = "result"}, position);
}

// ---- where values are ----

// The registers of a result: System V ABI 3.2.3; Go's ABIInternal, whose results travel as its arguments do.
bool Checker::is_of_result(std::uint8_t encoding) const {
  if (scope_.subject.abi != Abi::go) return encoding == encoding_rax || encoding == encoding_rdx;
  const auto registers = argument_registers(Abi::go);
  return std::find(registers.begin(), registers.end(), encoding) != registers.end();
}

TypedPtr Checker::address(const Piece& piece, const Values& values, std::size_t position) {
  const auto held = [&](std::uint8_t encoding) -> TypedPtr {
    if (!values.of_result) {
      if (encoding <= target::register_ip) return register_at_call(encoding, values.name, position);
    } else if (encoding == encoding_rax) {
      return make(Op::result, unsigned_long_type, position);
    } else if (is_of_result(encoding)) {
      TypedPtr word = make(Op::result_word, unsigned_long_type, position);
      word->count = encoding;
      return word;
    }
    return fail(position, quoted(values.name), "is in " + register_name(encoding) + ", which holds no result");
  };
  std::int64_t offset = piece.offset;
  TypedPtr sum;
  if (piece.base == target::register_none) {
    // A link address: the breakpoint, whose link address is known, says where the file is mapped.
    sum = register_at_call(target::register_ip, values.name, position);
    offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) -
                                       raw(scope_.subject.site.value_or(LinkAddress{})));
  } else {
    sum = held(piece.base);
  }
  if (!sum || piece.index == target::register_none) return sum ? plus(std::move(sum), offset) : nullptr;
  TypedPtr index = held(piece.index);
  if (!index) return nullptr;
  if (piece.scale != 1) {
    index =
        make(Op::multiply, unsigned_long_type, position, std::move(index), constant(piece.scale, unsigned_long_type));
  }
  return plus(make(Op::add, unsigned_long_type, position, std::move(sum), std::move(index)), offset);
}

std::optional<Part> Checker::part(const Piece& piece, const Values& values, std::size_t position) {
  Part part{.where = Part::Where::value, .offset = 0, .bytes = piece.bytes, .at = nullptr};
  switch (piece.where) {
    case Piece::Where::gone:
      part.where = Part::Where::gone;
      return part;
    case Piece::Where::vector:
      part.where = Part::Where::unread;
      part.why =
          "is in " + target::register_name(static_cast<std::uint64_t>(piece.offset)) + ", which a uprobe cannot read";
      return part;
    case Piece::Where::constant:
      part.at = constant(piece.offset, unsigned_long_type);
      return part;
    case Piece::Where::reg: {
      if (values.of_result && piece.base != target::register_none && !is_of_result(piece.base)) {
        part.where = Part::Where::unread;
        part.why = "is in " + register_name(piece.base) + " at the return, which holds no result";
        return part;
      }
      Piece as_address = piece;
      as_address.index = target::register_none;
      as_address.offset = 0;
      if (piece.base != target::register_none) part.at = address(as_address, values, position);
      break;
    }
    case Piece::Where::memory:
      part.where = Part::Where::memory;
      part.at = address(piece, values, position);
      break;
    case Piece::Where::address:
      part.at = address(piece, values, position);
      break;
  }
  if (!part.at) return std::nullopt;
  return part;
}

TypedPtr Checker::of_pieces(TypeId type, const std::vector<Piece>& pieces, const Values& values, std::size_t position) {
  if (pieces.empty() || pieces.size() > pieces_max) {
    return fail(position, quoted(values.name), "where it is, debug information does not say");
  }
  Typed object;
  object.op = Op::object;
  object.type = Type{.kind = TypeKind::object, .bytes = 0};
  object.of = type;
  object.position = position;
  object.text = values.name;
  const bool global = pieces.front().base == target::register_none;
  object.of_call = !values.of_result && !global;
  std::int64_t offset = 0;
  for (const Piece& piece : pieces) {
    const std::size_t issues = checked_.issues.size();
    std::optional<Part> made = part(piece, values, position);
    if (!made) {
      if (checked_.issues.size() == issues) fail(position, quoted(values.name), "its register is not known");
      return nullptr;
    }
    made->offset = offset;
    if (pieces.size() == 1) made->bytes = made->where == Part::Where::memory ? all_of_it : 8;
    offset += static_cast<std::int64_t>(made->bytes);
    object.parts.push_back(std::move(*made));
  }
  return from(object, type, 0, position);
}

// ---- reading ----

TypedPtr Checker::load(TypeId type, TypedPtr address, bool of_call, std::size_t position) {
  const std::uint64_t size = scope_.types.bytes(type);
  const TypedPtr object = object_at(type, std::move(address), of_call, std::max(size, all_of_it), position);
  return from(*object, type, 0, position);
}

TypedPtr Checker::from(const Typed& object, TypeId id, std::int64_t offset, std::size_t position) {
  const DebugType& debug = scope_.types[id];
  const std::string what = object.text.empty() ? quoted(scope_.types.name(id)) : quoted(object.text);
  if (debug.kind == Kind::smart) {
    TypedPtr pointer = word_of(object, offset + debug.layout.data_offset, 8);
    if (!pointer) return fail(position, what, "its parts are not to be had here");
    pointer->of = scope_.types.pointer_to(debug.target);
    pointer->position = position;
    return pointer;
  }
  const Type type = scope_.types.value(id);
  if (type.kind == TypeKind::nothing) {
    return fail(position, what, "has no type that can be read", "cast its address: `*(u32 *)&x`");
  }
  const std::uint64_t size = type.kind == TypeKind::object ? scope_.types.bytes(id) : type.bytes;
  const Part* whole = part_at(object, offset, size);
  if (whole == nullptr && type.kind != TypeKind::object) {
    return fail(position, what, "lies in several places here, or only in part");
  }
  if (whole != nullptr && type.kind != TypeKind::object) {
    if (whole->where == Part::Where::gone) {
      return fail(position, what, "was optimised away here",
                  "measure at another place, or build with less optimisation");
    }
    if (whole->where == Part::Where::unread) {
      return fail(position, what, whole->why, "measure where it lies in memory, or an integer");
    }
    // An object's bytes above its own size are rubbish: `bool` is a byte.
    TypedPtr word = word_of(object, offset, type.bytes);
    if (debug.kind == Kind::reference) {
      if (scope_.types[debug.target].kind == Kind::reference) {
        return fail(position, what, "refers to a reference, which no language has");
      }
      TypedPtr target = load(debug.target, std::move(word), false, position);
      if (target && target->text.empty()) target->text = object.text;
      return target;
    }
    if (word->op == Op::read) {
      word->type = type;
    } else if (type.kind == TypeKind::floating) {
      word = make(Op::convert, type, position, std::move(word));  // its bits
    } else {
      word = converted(std::move(word), type);
    }
    word->of = id;
    word->position = position;
    return word;
  }
  if (debug.kind == Kind::integer || debug.kind == Kind::floating || debug.kind == Kind::enumeration ||
      debug.kind == Kind::boolean) {
    return fail(position, what, std::to_string(debug.bytes) + " bytes wide: only 1, 2, 4 and 8 can be computed with",
                "read a part of it: `*(u64 *)&x`");
  }
  TypedPtr inner = make(Op::object, type, position);
  inner->of = id;
  inner->of_call = object.of_call;
  inner->text = object.text;
  for (const Part& part : object.parts) {
    const std::int64_t end = part.offset + static_cast<std::int64_t>(std::min(part.bytes, all_of_it));
    if (end <= offset) continue;
    inner->parts.push_back(
        {part.where, part.offset - offset, part.bytes, part.at ? copy(*part.at) : nullptr, part.why});
  }
  return inner;
}

}  // namespace diagnose::compile
