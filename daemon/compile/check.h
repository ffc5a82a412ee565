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
#include "compile/types.h"

namespace diagnose::compile {

enum class Op {
  // Leaves.
  constant,  // `value`
  null_,
  text,         // a literal: `text`
  argument,     // what the register with the x86 encoding `value` (16: rip) held at the call
  saved,        // slot `value` of the frame, null if its bit in slot `null_slot` says so; made by lower
  result,       // null in an error if `value`
  result_word,  // likewise, of a result of several words: what register `count` (x86 encoding) holds at the return
  elapsed,
  error,
  depth,  // null where frames have no order
  start,
  now,
  pid,
  tid,
  uid,
  cpu,
  cgroup,
  comm,
  exe,      // the name of the process's executable, its folder left out
  stack,    // known at the call only
  unknown,  // see TypeKind::unknown
  // One operand.
  placed,  // the address `value`, in a process whose memory lies as it did; unreadable if its layout is not the operand
  read,    // of type.bytes (1 to 8) at a user address
  string,  // up to type.text_bytes at a user address, to its NUL; of at most `value` characters, if that is not 0
  laid_out_text,  // the same of a text at a user address, as `layout` says
  convert,
  bits,  // of a bit-field: type's sign, `value` from the lowest bit on, `count` of them
  negate,
  complement,
  not_,
  absolute,
  magnitude,  // of base `value`
  is_null,    // true if the operand is null, and, with `value`, if it is 0
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
  text_starts,   // likewise
  text_length,   // of a `string`: its characters; null if there are more than text_length_max
  counted_text,  // address of the first character, number of characters
  and_,
  or_,
  // Three: condition, then, else.
  choose,
  // Any number: where the parts of a struct, array, .. are.  See Part; never emitted.
  object,
};

// Counted in steps of what the stack has room for.
inline constexpr std::uint32_t text_length_max = 1008;

// How a number is shown, where that is not plain from its type.
enum class Show { plainly, as_address, in_hexadecimal };

struct Typed;
using TypedPtr = std::unique_ptr<Typed>;

// A stretch of an object, `bytes` of it from `offset` on.
struct Part {
  enum class Where {
    value,   // in the low bytes of `at`
    memory,  // at the address `at`
    gone,    // optimised away
    unread,  // in a register that is not to be had; `why` says which
  };
  Where where = Where::memory;
  std::int64_t offset = 0;
  std::uint64_t bytes = 0;
  TypedPtr at;
  std::string why = {};
};

// A value in a register is always extended to 64 bits by its type's sign; booleans are 0 or 1.
struct Typed {
  Op op = Op::constant;
  Type type;
  TypeId of = no_type;  // the type as the program says: what an address points to, an enumeration, an object
  Show show = Show::plainly;
  std::int64_t value = 0;
  std::uint8_t count = 0;
  std::int32_t null_slot = -1;
  // Of reads and objects: memory that belongs to the call (a parameter on the stack), which later events know as it
  // was.
  bool of_call = false;
  std::string text;  // of a literal; of what is of the call: its name
  std::vector<TypedPtr> children;
  std::vector<Part> parts;
  const target::DebugType::Layout* layout = nullptr;  // of a laid_out_text; the debug information's
  std::size_t position = 0;
};

// How long texts may be in this expression's column.
struct TextLimits {
  std::uint32_t usual = 0;  // bytes of str(x), its NUL counted
  std::uint32_t most = 0;   // of str(x, n)
};

// What an expression is for.
enum class Use {
  column,     // a label or a field: texts are shown as texts
  condition,  // a boolean comes out, or a text, which is for the caller to refuse
  number,     // a metric's value; likewise
};

struct Checked {
  TypedPtr root;  // null if there are issues
  std::vector<Issue> issues;
  // Where the expression first mentions what is known only at the end of a call.
  std::optional<std::size_t> result_at, elapsed_at, error_at, depth_at;
  std::optional<std::size_t> stack_at;  // and what is known only at its beginning
};

// What names mean.
struct Scope {
  Subject subject;
  // There is no target yet: what debug information might know is no fault, but TypeKind::unknown.
  bool offline = false;
  Types& types;

  [[nodiscard]] const target::Described* place() const;  // null: nothing is known of the function
};

[[nodiscard]] Checked check(const Node& tree, TextLimits texts, Use use, const Scope& scope);

[[nodiscard]] bool can_be_null(const Typed& value);

}  // namespace diagnose::compile
