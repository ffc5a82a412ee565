#include "cli/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace diagnose::cli {

namespace {

struct Scale {
  double size;
  const char* suffix;
};

// The largest of `scales`, which ascend, that is not above `value`.
template <std::size_t N>
std::string scaled(double value, const std::array<Scale, N>& scales) {
  const double magnitude = std::abs(value);
  std::size_t chosen = 0;
  for (std::size_t i = 1; i < N; ++i) {
    // A bound such as 1e-6 is seldom exact as a double: it is 1us all the same.
    if (magnitude >= scales[i].size * (1 - 1e-9)) chosen = i;
  }
  return fmt::format("{:.4g}{}", value / scales[chosen].size, scales[chosen].suffix);
}

// Continuation bytes of UTF-8 take no column.
bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string seconds_text(double seconds) {
  if (std::isnan(seconds)) return "-";
  if (seconds == 0) return "0s";
  if (std::abs(seconds) >= 1e5) return fmt::format("{:.6g}s", seconds);
  return scaled(seconds, std::array<Scale, 4>{{{1e-9, "ns"}, {1e-6, "us"}, {1e-3, "ms"}, {1, "s"}}});
}

std::string remaining_text(std::chrono::seconds remaining) {
  constexpr std::array<std::pair<long long, char>, 4> units{{{86'400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
  long long left = std::max<long long>(remaining.count(), 0);
  std::string text;
  int parts = 0;
  for (const auto& [size, letter] : units) {
    if (parts == 2) break;
    const long long count = left / size;
    left %= size;
    if (parts > 0) ++parts;  // "2h 5s" would look exact where it is not
    if (count == 0) continue;
    parts = std::max(parts, 1);
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", count, letter);
  }
  return text.empty() ? "0s" : text;
}

std::string value_text(double value, std::string_view unit) {
  if (std::isnan(value)) return "-";
  if (unit == "seconds") return seconds_text(value);
  if (unit == "bytes" && std::abs(value) >= 1024) {
    return scaled(value, std::array<Scale, 5>{
                             {{1, "B"}, {1024, "KiB"}, {1048576, "MiB"}, {1073741824, "GiB"}, {1099511627776, "TiB"}}});
  }
  const char* suffix = unit == "bytes" ? "B" : "";
  constexpr double exact = 9007199254740992;  // 2^53
  if (std::abs(value) < exact && value == std::floor(value)) return fmt::format("{:.0f}{}", value, suffix);
  return fmt::format("{:.6g}{}", value, suffix);
}

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080..U+009F, control characters as well
      shown += fmt::format("\\x{:02x}", next);
      ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  bool in_colour = false;  // ESC [ ... m
  for (const char c : text) {
    if (in_colour) {
      in_colour = c != 'm';
    } else if (c == '\x1b') {
      in_colour = true;
    } else if (!continues(c)) {
      ++count;
    }
  }
  return count;
}

std::string Table::text(const std::string& indent) const {
  std::vector<std::size_t> widths;
  bool headings = false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns(columns_[i].heading);
    headings = headings || width > 0;
    for (const auto& row : rows_) width = std::max(width, columns(row.at(i)));
    widths.push_back(width);
  }
  std::string text;
  const auto line = [&](const auto& cell) {
    std::string cells = indent;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& content = cell(i);
      const std::string blanks(widths[i] - columns(content), ' ');
      if (i > 0) cells += "  ";
      cells += columns_[i].align == Align::right ? blanks + content : content + blanks;
    }
    cells.erase(cells.find_last_not_of(' ') + 1);
    text += cells + '\n';
  };
  if (headings) line([&](std::size_t i) -> const std::string& { return columns_[i].heading; });
  for (const auto& row : rows_) line([&](std::size_t i) -> const std::string& { return row[i]; });
  return text;
}

}  // namespace diagnose::cli
