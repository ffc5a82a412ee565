// Typed expressions of one instrument -> what is computed, and where each result is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compile/check.h"
#include "compile/evaluation.h"

namespace diagnose::compile {

// One result and its place in `out`.
struct Write {
  TypedPtr value;
  std::uint32_t offset = 0;
  std::uint32_t size = 8;        // bytes; all of them are written
  int null_bit = -1;             // where null is kept; -1: null skips everything
  bool refuse_negative = false;  // a negative number is counted as LOSS_REFUSED, and skips everything
};

// One instrument, ready to be emitted.
struct Lowered {
  TypedPtr where;  // null: always
  std::uint32_t sample_every = 1;
  std::optional<Write> value;
  std::vector<Write> writes;                        // labels and fields
  std::optional<std::uint32_t> nulls_offset;        // the word of null bits
  std::optional<std::vector<std::int64_t>> bounds;  // of a histogram that is folded: the answer is 1 + bucket
  bool marks_truncated = false;                     // TEXT_TRUNCATED: in a record, not in the key of a series
};

// What is kept in one slot of a frame.
struct Slot {
  TypedPtr value;       // evaluated at the call; null: this slot has the null bits, by slot, of the others
  std::string name;     // as in the expression
  std::string same_as;  // values are the same if these are
};

// The values of the call that a probe's return events need.
class SavedValues {
 public:
  // Rewrites `value` for `phase`: what is of the call is read then, and comes from the frame at its end; at the call it
  // has just started; at an error there is no result.
  void place(Typed& value, Phase phase);
  // All registers that are read at the call; bit = encoding.
  [[nodiscard]] std::uint16_t entry_registers() const { return entry_registers_; }
  [[nodiscard]] const std::vector<Slot>& slots() const { return slots_; }
  [[nodiscard]] std::vector<Saved> saved() const;
  // A text inside of an argument that is itself on the stack: its place, if place() met one at the end of a call.
  [[nodiscard]] std::optional<std::size_t> unkept_text() const { return unkept_text_; }

 private:
  void place_text(Typed& value, Phase phase);
  void save(Typed& value);
  [[nodiscard]] std::size_t slot_of(const Typed& value);

  std::uint16_t entry_registers_ = 0;
  std::vector<Slot> slots_;
  std::int32_t null_slot_ = -1;
  std::optional<std::size_t> unkept_text_;
};

// The column in which `value` arrives.  Offset and null bit are the layout's business.
[[nodiscard]] event::Column column_of(const std::string& name, const Typed& value, const Types& types);

// Puts `value` at the end of `layout`.  A literal text takes no room and needs no write.
[[nodiscard]] std::optional<Write> append(event::Layout& layout, const std::string& name, TypedPtr value,
                                          const Types& types);

struct Bounds {
  std::vector<std::int64_t> native;
  std::vector<double> shown;
};
// `written` or the default for the value's unit; those outside of 64 bits are clamped.
[[nodiscard]] Bounds bounds_of(const std::optional<spec::Buckets>& written, bool is_time);

}  // namespace diagnose::compile
