#include "event/layout.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace diagnose::event {
namespace {

std::uint64_t word_at(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof(word));
  return word;
}

bool is_null(const Column& column, std::span<const std::byte> bytes) {
  if (column.null_bit < 0 || column.null_bit > 63) return false;
  return bytes.size() < sizeof(std::uint64_t) || ((word_at(bytes, 0) >> column.null_bit) & 1U) != 0;
}

// Length of the well-formed UTF-8 sequence that `text` starts with (Unicode 15, table 3-7); 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto in = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (in(first, 0xc2, 0xdf)) {
    length = 2;
  } else if (in(first, 0xe0, 0xef)) {
    length = 3;
    if (first == 0xe0) low = 0xa0;   // shorter forms exist
    if (first == 0xed) high = 0x9f;  // surrogates
  } else if (in(first, 0xf0, 0xf4)) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;  // beyond U+10FFFF
  }
  if (length == 0 || !in(byte(1), low, high)) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!in(byte(i), 0x80, 0xbf)) return 0;
  }
  return length;
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      valid += "\xef\xbf\xbd";  // U+FFFD
      text.remove_prefix(1);
    } else {
      valid += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return valid;
}

// Exact, without trailing zeros: 1500000 -> "0.0015".
std::string seconds_text(std::chrono::nanoseconds time) {
  const bool negative = time.count() < 0;
  std::uint64_t magnitude = static_cast<std::uint64_t>(time.count());
  if (negative) magnitude = 0 - magnitude;
  constexpr std::uint64_t per_second = 1'000'000'000;
  std::string text = (negative ? "-" : "") + std::to_string(magnitude / per_second);
  std::string fraction = std::to_string(per_second + magnitude % per_second).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) text += "." + fraction;
  return text;
}

std::string floating_text(double number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

Stack stack_of(const Column& column, std::span<const std::byte> bytes) {
  Stack stack;
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= column.size; at += sizeof(std::uint64_t)) {
    const std::uint64_t address = word_at(bytes, column.offset + at);
    if (address == 0) break;
    stack.addresses.push_back(address);
  }
  return stack;
}

std::string stack_text(const Stack& stack) {
  std::string text;
  for (const std::uint64_t address : stack.addresses) text += (text.empty() ? "" : ";") + hexadecimal(address);
  return text;
}

Value enumerator_of(const Column& column, std::uint64_t word) {
  const auto value = static_cast<std::int64_t>(word);
  const auto found = std::lower_bound(column.enumerators.begin(), column.enumerators.end(), value,
                                      [](const auto& known, std::int64_t wanted) { return known.first < wanted; });
  if (found != column.enumerators.end() && found->first == value) return found->second;
  if (column.type == ColumnType::signed_enumeration) return value;
  return word;
}

}  // namespace

Value value_of(const Column& column, std::span<const std::byte> bytes) {
  if (column.type == ColumnType::constant) return column.constant;
  if (is_null(column, bytes)) return {};
  const bool sized = column.type == ColumnType::text || column.type == ColumnType::stack;
  const std::size_t size = sized ? column.size : sizeof(std::uint64_t);
  if (column.offset > bytes.size() || size > bytes.size() - column.offset) return {};
  if (column.type == ColumnType::text) {
    const char* text = reinterpret_cast<const char*>(bytes.data() + column.offset);
    return std::string(text, ::strnlen(text, size == 0 ? 0 : size - 1));
  }
  if (column.type == ColumnType::stack) return stack_of(column, bytes);
  const std::uint64_t word = word_at(bytes, column.offset);
  switch (column.type) {
    case ColumnType::unsigned_integer:
      return word;
    case ColumnType::boolean:
      return word != 0;
    case ColumnType::floating32:
      return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(word)));
    case ColumnType::floating64:
      return std::bit_cast<double>(word);
    case ColumnType::hexadecimal:
      return hexadecimal(word);
    case ColumnType::address:
      return Address{word};
    case ColumnType::signed_enumeration:
    case ColumnType::unsigned_enumeration:
      return enumerator_of(column, word);
    case ColumnType::nanoseconds:
      return std::chrono::nanoseconds(static_cast<std::int64_t>(word));
    default:
      return static_cast<std::int64_t>(word);
  }
}

bool is_truncated(const Column& column, std::span<const std::byte> bytes) {
  if (column.type != ColumnType::text || column.size == 0 || is_null(column, bytes)) return false;
  if (column.offset > bytes.size() || column.size > bytes.size() - column.offset) return false;
  return bytes[column.offset + column.size - 1] != std::byte{0};
}

std::vector<std::byte> without_marks(const Layout& layout, std::span<const std::byte> key) {
  std::vector<std::byte> whole(key.begin(), key.end());
  for (const Column& column : layout.columns) {
    if (is_truncated(column, key)) whole[column.offset + column.size - 1] = std::byte{0};
  }
  return whole;
}

std::string text_of(const Value& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::monostate>) {
          return "null";
        } else if constexpr (std::is_same_v<Held, bool>) {
          return held ? "true" : "false";
        } else if constexpr (std::is_same_v<Held, std::chrono::nanoseconds>) {
          return seconds_text(held);
        } else if constexpr (std::is_same_v<Held, double>) {
          return floating_text(held);
        } else if constexpr (std::is_same_v<Held, Address>) {
          return hexadecimal(held.address);
        } else if constexpr (std::is_same_v<Held, Stack>) {
          return stack_text(held);
        } else if constexpr (std::is_same_v<Held, std::string>) {
          return valid_utf8(held);
        } else {
          return std::to_string(held);
        }
      },
      value);
}

const char* loss_name(unsigned reason) {
  static constexpr std::array<const char*, LOSS_COUNT> names = {
      "ring_full", "frames_full", "frames_unavailable", "left",           "unreadable", "refused",
      "contended", "overflow",    "tail_call_result",   "unknown_caller", "rate"};
  return reason < names.size() ? names[reason] : "unknown";
}

}  // namespace diagnose::event
