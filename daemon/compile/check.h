// Tree -> typed tree: names resolved, C's conversions made explicit, constants folded, every fault told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compile/evaluation.h"
#include "compile/parse.h"

namespace diagnose::compile {

enum class Op {
  // Leaves.
  constant,  // `value`
  null_,
  text,      // a literal: `text`
  argument,  // number `value`; from lower on the x86 encoding of its register at the call
  saved,     // the same from slot `value` of the frame; made by lower
  result,    // null in an error if `value`
  elapsed,
  error,
  start,
  now,
  pid,
  tid,
  uid,
  cpu,
  comm,
  // One operand.
  read,    // of type.bytes at a user address
  string,  // up to type.text_bytes at a user address
  convert,
  negate,
  complement,
  not_,
  absolute,
  magnitude,  // of base `value`
  // Two operands of one type, but for shifts (the right one is of any integer type).
  add,
  subtract,
  multiply,
  divide,
  modulo,
  shift_left,
  shift_right,
  bit_and,
  bit_or,
  bit_xor,
  minimum,
  maximum,
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal,
  text_equal,
  text_unequal,  // the right one is a literal
  and_,
  or_,
  // Three: condition, then, else.
  choose,
};

// A value in a register is always extended to 64 bits by its type's sign; booleans are 0 or 1.
struct Typed {
  Op op = Op::constant;
  Type type;
  unsigned pointers = 0;  // > 0: an address (type is u64) of a `pointee` with one pointer less
  Type pointee;
  std::int64_t value = 0;
  std::string text;
  std::vector<std::unique_ptr<Typed>> children;
  std::size_t position = 0;
};
using TypedPtr = std::unique_ptr<Typed>;

// How long texts may be in this expression's column.
struct TextLimits {
  std::uint32_t usual = 0;  // bytes of str(x), its NUL counted
  std::uint32_t most = 0;   // of str(x, n)
};

struct Checked {
  TypedPtr root;  // null if there are issues
  std::vector<Issue> issues;
  // Where the expression first mentions what is known only at the end of a call.
  std::optional<std::size_t> result_at, elapsed_at, error_at;
};

[[nodiscard]] Checked check(const Node& tree, TextLimits texts, Abi abi);

// Type of a literal or default made by the compiler itself.
[[nodiscard]] TypedPtr constant(std::int64_t value, Type type);
// `value` converted as by a C cast; time stays time if `type` is one.
[[nodiscard]] TypedPtr converted(TypedPtr value, Type type);
[[nodiscard]] TypedPtr unary(Op op, Type type, TypedPtr operand);

[[nodiscard]] bool can_be_null(const Typed& value);

}  // namespace diagnose::compile
