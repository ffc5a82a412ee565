// Where things lie in the bytes that the kernel's side writes: label keys, record payloads.  Values decoded from them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bpf/contract.h"

namespace diagnose::event {

enum class ColumnType {
  signed_integer,        // 8 bytes
  unsigned_integer,      // 8 bytes
  boolean,               // 8 bytes, 0 or 1
  nanoseconds,           // 8 bytes, unsigned; shown in seconds
  floating32,            // 8 bytes, the low 4 those of a float
  floating64,            // 8 bytes
  hexadecimal,           // 8 bytes, shown as "0x1f"
  address,               // 8 bytes, of code in the process
  stack,                 // `size` bytes: return addresses of the process, innermost first, the rest zero
  signed_enumeration,    // 8 bytes, shown by name; see `enumerators`
  unsigned_enumeration,  // likewise
  text,                  // `size` bytes, NUL-padded; the last one is TEXT_TRUNCATED where the text went on
  constant,              // nothing in the bytes: `constant` is the value
};

struct Column {
  std::string name;
  ColumnType type = ColumnType::signed_integer;
  std::uint32_t offset = 0;  // from the start of the key or payload
  std::uint32_t size = 8;    // bytes
  std::string constant;
  // In record payloads a nullable column has its bit in the `nulls` word (bit number), else -1.
  int null_bit = -1;
  // Ascending; what is not here is shown as a number.
  std::vector<std::pair<std::int64_t, std::string>> enumerators = {};

  friend bool operator==(const Column&, const Column&) = default;
};

// One label key or one record payload.  A payload begins with one 64-bit word of null bits if any column is nullable.
struct Layout {
  std::vector<Column> columns;
  std::uint32_t size = 0;  // bytes, a multiple of 8
};

// Code of the process that the event is of.  Shown in hexadecimal, unless the daemon has found the symbols first.
struct Address {
  std::uint64_t address = 0;
  friend bool operator==(const Address&, const Address&) = default;
};
struct Stack {
  std::vector<std::uint64_t> addresses;  // innermost first
  friend bool operator==(const Stack&, const Stack&) = default;
};

using Value = std::variant<std::monostate, std::int64_t, std::uint64_t, double, bool, std::chrono::nanoseconds,
                           std::string, Address, Stack>;

// Decodes one column.  `bytes` is the whole key or payload; too short yields null.
[[nodiscard]] Value value_of(const Column& column, std::span<const std::byte> bytes);

// Whether a text went on where its room ended: what value_of() gives is its beginning.
[[nodiscard]] bool is_truncated(const Column& column, std::span<const std::byte> bytes);
// A key without the marks of such texts: as those of series are.
[[nodiscard]] std::vector<std::byte> without_marks(const Layout& layout, std::span<const std::byte> key);

// As a label or in text: "12", "true", seconds as "0.0015", floating point by its shortest text that reads back
// ("0.1", "nan", "inf"), addresses as "0x1f", a stack's joined by ";", text with invalid UTF-8 replaced, "null".
[[nodiscard]] std::string text_of(const Value& value);

// Names of enum loss, as in `diagnose_events_lost_total{reason=...}`: "ring_full", "frames_full", ...
[[nodiscard]] const char* loss_name(unsigned reason);

}  // namespace diagnose::event
