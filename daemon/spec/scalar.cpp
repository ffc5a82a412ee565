#include "spec/scalar.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace diagnose::spec {
namespace {

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool has_form_of_float(std::string_view text) {
  const auto digits = [&] {
    std::size_t count = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) ++count;
    return count;
  };
  const auto sign = [&] {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  };
  sign();
  const std::size_t whole = digits();
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = digits();
  }
  if (whole + fraction == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    sign();
    if (digits() == 0) return false;
  }
  return text.empty();
}

nlohmann::json typed(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (const auto integer = integer_of(text)) return *integer;
  std::uint64_t large = 0;  // what only an unsigned word holds
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), large);
  if (error == std::errc{} && end == text.data() + text.size()) return large;
  // A whole number beyond 64 bits would lose digits as a double.
  if (text.find_first_of(".eE") == std::string_view::npos) return std::string(text);
  if (const auto number = number_of(text)) return *number;
  return std::string(text);
}

nlohmann::json scalar(const Node& node, Numbers numbers) {
  if (node.quoted) return node.text;
  nlohmann::json value = typed(node.text);
  if (numbers == Numbers::as_written && value.is_number() && value.dump() != node.text) return node.text;
  return value;
}

}  // namespace

std::optional<std::int64_t> integer_of(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0o")) {
    base = text[1] == 'x' ? 16 : 8;
    text.remove_prefix(2);
    if (text.starts_with('-')) return std::nullopt;
  } else if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> number_of(std::string_view text) {
  if (const auto integer = integer_of(text)) return static_cast<double>(*integer);
  if (!has_form_of_float(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

nlohmann::json to_json(const Node& node, Numbers numbers) {
  switch (node.kind) {
    case Node::Kind::null:
      return nullptr;
    case Node::Kind::scalar:
      return scalar(node, numbers);
    case Node::Kind::sequence: {
      nlohmann::json list = nlohmann::json::array();
      for (const NodePtr& item : node.items) list.push_back(to_json(*item, numbers));
      return list;
    }
    case Node::Kind::mapping:
      break;
  }
  nlohmann::json mapping = nlohmann::json::object();
  for (const Node::Entry& entry : node.entries) mapping[entry.key->text] = to_json(*entry.value, numbers);
  return mapping;
}

}  // namespace diagnose::spec
