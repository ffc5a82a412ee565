#include "app/written.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

namespace diagnose::app {
namespace {

using nlohmann::json;

// A text value of the JSON.
struct Value {
  std::size_t start = 0;  // of its first character, behind the quote
  std::size_t end = 0;    // of the closing quote
};

// The text value that the byte at `at` belongs to, or that ends there.
std::optional<Value> value_at(std::string_view text, std::size_t at) {
  std::optional<Value> found;
  for (std::size_t i = 0; i < text.size() && i <= at; ++i) {
    if (text[i] != '"') continue;
    Value value{.start = i + 1, .end = i + 1};
    while (value.end < text.size() && text[value.end] != '"') value.end += text[value.end] == '\\' ? 2 : 1;
    i = value.end;
    const bool is_key = value.end + 1 < text.size() && text[value.end + 1] == ':';
    if (!is_key && at >= value.start && at <= value.end) found = value;
  }
  return found;
}

control::PlacedError placed(Error error, const std::string& text, const std::string& origin) {
  if (!error.where.starts_with(origin + ":")) return error;
  std::size_t column = 0;
  const std::string_view digits = std::string_view(error.where).substr(error.where.rfind(':') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), column);
  error.where.clear();
  if (column == 0) return error;
  const auto value = value_at(text, column - 1);
  if (!value || value->end >= text.size()) return error;
  const json written = json::parse(text.substr(value->start - 1, value->end - value->start + 2), nullptr, false);
  if (!written.is_string() || written.get_ref<const std::string&>().empty()) return error;
  constexpr std::size_t shown_chars = 80;
  std::string line = written.get<std::string>();
  error.where = "`" + line.substr(0, shown_chars) + "`";
  // Columns of an expression are those of what was meant: an escaped character counts as one.
  return {std::move(error), std::move(line), column - value->start};
}

}  // namespace

control::Refusal refusal(const std::vector<Error>& errors, const std::string& text, const std::string& origin) {
  std::vector<control::PlacedError> each;
  for (const Error& error : errors) each.push_back(placed(error, text, origin));
  Error all = each.front().error;
  for (std::size_t at = 1; at < each.size(); ++at) {
    all.mend += (all.mend.empty() ? "" : "; ") + each[at].error.text();
  }
  if (each.size() == 1 && each.front().column == 0) each.clear();
  return {std::move(all), std::move(each)};
}

}  // namespace diagnose::app
