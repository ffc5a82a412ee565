#include "spec/parts.h"

namespace diagnose::spec {
namespace {

// Offset behind the `}` that ends the expression at the start of `rest`; braces in its string literals do not count.
std::optional<std::size_t> end_of_expression(std::string_view rest) {
  bool in_string = false;
  for (std::size_t at = 0; at < rest.size(); ++at) {
    if (in_string && rest[at] == '\\') {
      ++at;
    } else if (rest[at] == '"') {
      in_string = !in_string;
    } else if (!in_string && rest[at] == '{') {
      return std::nullopt;  // expressions have no braces: an earlier one was never closed
    } else if (!in_string && rest[at] == '}') {
      return at + 1;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Message> read_message(const Node& node, Faults& faults) {
  const auto text = text_of(node, "message", faults);
  if (!text) return std::nullopt;
  const std::size_t before = faults.count();
  const auto fault = [&](std::size_t at, std::string what, std::string why, std::string mend) {
    Place place = faults.place(node);
    place.column += static_cast<int>(at);
    faults.add({.place = place, .what = std::move(what), .why = std::move(why), .mend = std::move(mend)});
  };
  Message message;
  message.texts.emplace_back();
  const std::string_view all = *text;
  for (std::size_t at = 0; at < all.size();) {
    const std::string_view rest = all.substr(at);
    if (rest.starts_with("{{") || rest.starts_with("}}")) {
      message.texts.back() += rest.front();
      at += 2;
    } else if (rest.front() == '}') {
      fault(at, "`}` in the message", "it closes nothing", "write `}}` for a brace as text");
      at += 1;
    } else if (rest.front() == '{') {
      const auto end = end_of_expression(rest.substr(1));
      if (!end) {
        fault(at, "`{` in the message", "the expression behind it is never closed",
              "close it with `}`, or write `{{` for a brace as text");
        break;
      }
      const std::string_view expression = rest.substr(1, *end - 1);
      if (expression.find_first_not_of(" \t") == std::string_view::npos) {
        fault(at, "`{}` in the message", "there is no expression in it", "write one, as in `{elapsed}`");
      } else if (expression.size() > limits::expression_chars) {
        fault(at, "an expression in the message",
              "has more than " + std::to_string(limits::expression_chars) + " characters", "shorten it");
      }
      Place place = faults.place(node);
      place.column += static_cast<int>(at) + 1;
      message.expressions.push_back({.text = std::string(expression), .place = place});
      message.texts.emplace_back();
      at += 1 + *end;
    } else {
      message.texts.back() += rest.front();
      at += 1;
    }
  }
  if (message.expressions.size() > limits::labels_per_instrument) {
    faults.add(node, "`message`", "more than " + std::to_string(limits::labels_per_instrument) + " expressions",
               "split it over two logs");
  }
  if (faults.count() != before) return std::nullopt;
  return message;
}

}  // namespace diagnose::spec
