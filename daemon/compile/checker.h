// The checker's parts, one file for each kind of expression: check.cpp (numbers), check_places.cpp (where values are),
// check_members.cpp (what they are made of), check_texts.cpp, check_names.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compile/check.h"

namespace diagnose::compile {

// Nodes.
[[nodiscard]] TypedPtr make(Op op, Type type, std::size_t position, TypedPtr first = nullptr,
                            TypedPtr second = nullptr);
[[nodiscard]] TypedPtr null_at(std::size_t position);
[[nodiscard]] TypedPtr copy(const Typed& value);
// Type of a literal or default made by the compiler itself.
[[nodiscard]] TypedPtr constant(std::int64_t value, Type type);
// `value` converted as by a C cast; time stays time if `type` is one.
[[nodiscard]] TypedPtr converted(TypedPtr value, Type type);
[[nodiscard]] TypedPtr unary(Op op, Type type, TypedPtr operand);
// An address further on.
[[nodiscard]] TypedPtr plus(TypedPtr address, std::int64_t bytes);
// What a register held at the call, as a number of 64 bits.
[[nodiscard]] TypedPtr register_at_call(std::uint8_t encoding, std::string name, std::size_t position);

[[nodiscard]] inline bool is_constant(const Typed& value) {
  return value.op == Op::constant;
}
[[nodiscard]] inline bool is_null(const Typed& value) {
  return value.op == Op::null_;
}
[[nodiscard]] inline bool is_text(const Typed& value) {
  return value.type.kind == TypeKind::text;
}
[[nodiscard]] inline bool is_unknown(const Typed& value) {
  return value.type.kind == TypeKind::unknown;
}

// The part that covers all of a stretch; null if none does.
[[nodiscard]] const Part* part_at(const Typed& object, std::int64_t offset, std::uint64_t bytes);

// A text that may be one of several stretches of memory: where its characters are, and how many.  `text` is an object,
// in memory or in registers; null if a part of it cannot be had.
[[nodiscard]] TypedPtr characters_of(const Typed& text, const DebugType::Layout& layout);
[[nodiscard]] TypedPtr length_of(const Typed& text, const DebugType::Layout& layout, std::uint64_t element_bytes);
// `bytes` (1, 2, 4, 8) of an object from `offset` on, unsigned; null if they cannot be had in one piece.
[[nodiscard]] TypedPtr word_of(const Typed& object, std::int64_t offset, std::uint8_t bytes);
// An object in memory.
[[nodiscard]] TypedPtr object_at(TypeId of, TypedPtr address, bool of_call, std::uint64_t bytes, std::size_t position);

// Every method that returns a TypedPtr returns null if, and only if, it has told a fault.
class Checker {
 public:
  Checker(TextLimits texts, Use use, const Scope& scope) : texts_(texts), use_(use), scope_(scope) {}
  Checked run(const Node& tree);

 private:
  TypedPtr fail(std::size_t position, std::string what, std::string why, std::string mend = {});
  TypedPtr unknown(std::size_t position);
  TypedPtr visit(const Node& node);
  TypedPtr whole(TypedPtr value);

  // check.cpp: numbers
  TypedPtr number(TypedPtr value, const std::string& user);  // or null, or an address
  TypedPtr truth(TypedPtr value, const std::string& user);   // a boolean, or null
  TypedPtr visit_unary(const Node& node);
  TypedPtr visit_binary(const Node& node);
  TypedPtr operate(Op op, const std::string& symbol, TypedPtr left, TypedPtr right, std::size_t position);
  TypedPtr on_addresses(Op op, const std::string& symbol, TypedPtr left, TypedPtr right, std::size_t position);
  [[nodiscard]] bool has_null_word(const Typed& value) const;
  TypedPtr null_comparison(Op op, TypedPtr value, std::size_t position);
  TypedPtr arithmetic(Op op, Type type, TypedPtr left, TypedPtr right, std::size_t position);
  TypedPtr moved(TypedPtr address, TypedPtr count, Op op, std::size_t position);
  std::optional<bool> unit(Op op, const std::string& symbol, const Typed& left, const Typed& right,
                           std::size_t position);
  TypedPtr logic(const Node& node);

  // check_calls.cpp: casts, functions, choices
  TypedPtr conditional(const Node& node);
  TypedPtr choice_of_texts(std::size_t position, TypedPtr condition, TypedPtr yes, TypedPtr no);
  [[nodiscard]] bool same_type(TypeId a, TypeId b) const;
  TypedPtr cast(const Node& node);
  TypedPtr size_of(const Node& node);
  std::optional<TypeId> written(const WrittenType& type, std::size_t position);
  TypedPtr call(const Node& node);
  TypedPtr magnitude(const Node& node, std::vector<TypedPtr> values);
  TypedPtr absolute(const Node& node, TypedPtr operand);
  TypedPtr hexadecimal(const Node& node, TypedPtr operand);
  TypedPtr promoted_operand(TypedPtr operand, const std::string& user);

  // check_places.cpp: names and where their values are
  TypedPtr name(const Node& node);
  TypedPtr variable(const target::Variable& variable, std::size_t position);
  TypedPtr numbered(std::uint64_t number, const Node& node);
  TypedPtr result(std::size_t position);
  TypedPtr through_this(const std::string& name, std::size_t position);
  TypedPtr qualified(const Node& node);
  TypedPtr of_module(const Node& node);
  TypedPtr unknown_variable(const std::string& name, std::size_t position);
  [[nodiscard]] const target::Variable* find_variable(const std::string& name) const;
  [[nodiscard]] const target::NamedConstant* find_constant(const std::string& name) const;
  TypedPtr enumerator(const target::NamedConstant& found, std::size_t position);
  struct Values {  // of registers at the event
    bool of_result = false;
    std::string name;
  };
  std::optional<Part> part(const target::Piece& piece, const Values& values, std::size_t position);
  [[nodiscard]] bool is_of_result(std::uint8_t encoding) const;
  TypedPtr address(const target::Piece& piece, const Values& values, std::size_t position);
  TypedPtr of_pieces(TypeId type, const std::vector<target::Piece>& pieces, const Values& values, std::size_t position);
  // The value of `type` that lies in memory, or at `offset` in an object.
  TypedPtr load(TypeId type, TypedPtr address, bool of_call, std::size_t position);
  TypedPtr from(const Typed& object, TypeId type, std::int64_t offset, std::size_t position);

  // check_members.cpp
  struct Found {
    TypeId type = no_type;
    std::int64_t offset = 0;
    std::uint8_t bits = 0;
    unsigned bit_offset = 0;
    bool is_virtual = false;
  };
  TypedPtr member(const Node& node);
  TypedPtr member_of(TypedPtr object, const std::string& name, std::size_t position);
  TypedPtr bit_field(const Typed& object, const Found& found, const std::string& name, std::size_t position);
  [[nodiscard]] std::optional<Found> find_member(TypeId record, const std::string& name) const;
  TypedPtr size_of_sequence(const Typed& sequence, std::size_t position);
  TypedPtr has_value(const Typed& optional, std::size_t position);
  TypedPtr value_of_optional(const Typed& optional, std::size_t position);
  TypedPtr read(TypedPtr address, std::size_t position, const std::string& symbol);
  TypedPtr dereferenced(TypedPtr value, std::size_t position, const std::string& symbol);
  TypedPtr address_of(const Node& node);
  TypedPtr index(const Node& node);
  TypedPtr element(const Typed& array, TypedPtr subscript, std::size_t position);
  [[nodiscard]] bool is_untyped(const Typed& value) const;  // a number now, but debug information would say more
  [[nodiscard]] DebugType::Kind kind(const Typed& value) const;

  // check_texts.cpp
  [[nodiscard]] bool is_textual(const Typed& value) const;
  TypedPtr shown(TypedPtr value);  // in a label or field
  // Of at most so many characters; 0: as many as there is room for.
  TypedPtr text(TypedPtr value, std::uint32_t bytes, std::size_t position, std::uint32_t characters = 0);
  TypedPtr string(const Node& node, std::vector<TypedPtr> values);
  TypedPtr length(const Node& node, TypedPtr value);
  TypedPtr starts_with(const Node& node, std::vector<TypedPtr> values);
  TypedPtr text_comparison(Op op, TypedPtr left, TypedPtr right, std::size_t position);
  TypedPtr against_literal(Op op, TypedPtr text, const Typed& literal, std::size_t position);

  TextLimits texts_;
  Use use_;
  const Scope& scope_;
  Checked checked_;
};

}  // namespace diagnose::compile
