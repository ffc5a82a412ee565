// Typed expressions of one instrument -> what is computed, and where each result is written.
#pragma once

#include <cstdint>
#include <map>
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
  std::uint32_t size = 8;  // bytes; all of them are written
  int null_bit = -1;       // where null is kept; -1: null skips everything
};

// One instrument, ready to be emitted.
struct Lowered {
  TypedPtr where;  // null: always
  std::uint32_t sample_every = 1;
  std::optional<Write> value;
  bool refuse_negative = false;
  std::vector<Write> writes;                        // labels and fields
  std::optional<std::uint32_t> nulls_offset;        // the word of null bits
  std::optional<std::vector<std::int64_t>> bounds;  // of a histogram that is folded: the answer is 1 + bucket
};

// The values of the call that a probe's return events need; slots of the frame.
class SavedValues {
 public:
  explicit SavedValues(Abi abi) : abi_(abi) {}

  // Rewrites `value` for `phase`: arguments are registers at the call, at its end they come from the frame; at the call
  // it has just started; at an error there is no result.
  void place(Typed& value, Phase phase);
  // By slot: x86 encodings.
  [[nodiscard]] std::vector<std::uint8_t> registers() const;
  // All registers that are read at the call; bit = encoding.
  [[nodiscard]] std::uint16_t entry_registers() const { return entry_registers_; }
  [[nodiscard]] std::vector<Saved> saved() const;

 private:
  void place_argument(Typed& value, Phase phase);

  Abi abi_;
  std::uint16_t entry_registers_ = 0;
  std::vector<std::int64_t> arguments_;  // by slot: the argument's number
};

// The column in which `value` arrives.  Offset and null bit are the layout's business.
[[nodiscard]] event::Column column_of(const std::string& name, const Typed& value);

// Puts `value` at the end of `layout`.  A literal text takes no room and needs no write.
[[nodiscard]] std::optional<Write> append(event::Layout& layout, const std::string& name, TypedPtr value);

struct Bounds {
  std::vector<std::int64_t> native;
  std::vector<double> shown;
};
// `written` or the default for the value's unit; those outside of 64 bits are clamped.
[[nodiscard]] Bounds bounds_of(const std::optional<spec::Buckets>& written, bool is_time);

}  // namespace diagnose::compile
