#include "cli/excerpt.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "cli/text.h"

namespace diagnose::cli {
namespace {

constexpr std::string_view indent = "    ";
constexpr std::string_view left_out = "...";

bool continues(char c) {  // a byte of UTF-8 that begins no character
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// A tab would move the caret by as much as the terminal likes.
std::string shown(std::string_view part) {
  std::string text(part);
  std::ranges::replace(text, '\t', ' ');
  return printable(text);
}

// The number that ends `text` behind its last colon, which is cut off with it; 0 if there is none.
std::size_t cut_number(std::string_view& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return 0;
  std::size_t number = 0;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return 0;
  text = text.substr(0, colon);
  return number;
}

std::string_view line_of(std::string_view text, std::size_t number) {
  for (; number > 1; --number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find_first_of("\r\n"));
}

// Whether a quote at `at` opens a YAML scalar: nothing but blanks stands between it and what a value follows.
bool opens_scalar(std::string_view line, std::size_t at) {
  const std::size_t before = line.substr(0, at).find_last_not_of(" \t");
  if (before == std::string_view::npos) return true;
  return std::string_view(":-,[{?").find(line[before]) != std::string_view::npos;
}

// Columns of a place in a quoted scalar count what was meant; in the file an escape takes more: `\"`, `''`, `\u00e4`.
std::size_t column_in_source(std::string_view line, std::size_t column) {
  for (std::size_t at = 0; at < line.size() && at + 1 < column; ++at) {
    const char quote = line[at];
    if ((quote != '"' && quote != '\'') || !opens_scalar(line, at)) continue;
    std::size_t meant = at + 1;  // the column of what was meant, from 0
    for (++at; at < line.size(); ++meant) {
      if (meant + 1 == column) return at + 1;
      if (quote == '\'' && line[at] == quote) {
        if (line.substr(at, 2) != "''") break;
        at += 2;
      } else if (quote == '"' && line[at] == '\\') {
        const char kind = at + 1 < line.size() ? line[at + 1] : ' ';
        at += kind == 'x' ? 4 : kind == 'u' ? 6 : kind == 'U' ? 10 : 2;
      } else if (line[at] == quote) {
        break;
      } else {
        ++at;
      }
    }
  }
  return column;
}

}  // namespace

std::string excerpt(const control::PlacedError& error, const Style& style) {
  std::string_view line = error.line;
  if (error.column == 0 || line.empty() || error.column > line.size() + 1) return {};
  std::size_t at = error.column - 1;
  const std::size_t blanks = std::min(line.find_first_not_of(" \t"), at);
  line.remove_prefix(blanks);
  at -= blanks;
  const std::size_t room = std::max<std::size_t>(style.width, 40) - indent.size() - 2 * left_out.size();
  std::string_view before;
  if (line.size() > room) {
    const std::size_t context = room / 2;
    std::size_t from = at > context ? at - context : 0;
    while (from < at && continues(line[from])) ++from;
    if (from > 0) before = left_out;
    line.remove_prefix(from);
    at -= from;
  }
  std::string_view behind;
  if (line.size() > room) {
    std::size_t to = room;
    while (to > at && continues(line[to])) --to;
    line = line.substr(0, to);
    behind = left_out;
  }
  const std::string text = shown(line);
  const std::size_t column = columns(shown(line.substr(0, at)));
  std::string caret = style.colour ? "\x1b[1;31m^\x1b[0m" : "^";
  return std::string(indent).append(before).append(text).append(behind) + "\n" + std::string(indent) +
         std::string(before.size() + column, ' ') + caret + "\n";
}

control::PlacedError placed(Error error, const std::string& file, std::string_view text) {
  std::string_view where = error.where;
  const std::size_t column = cut_number(where);
  const std::size_t line = cut_number(where);
  if (column == 0 || line == 0 || where != file) return error;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark is no column
  const std::string_view named = line_of(text, line);
  return {std::move(error), std::string(named), column_in_source(named, column)};
}

}  // namespace diagnose::cli
