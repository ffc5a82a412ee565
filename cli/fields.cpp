#include "cli/fields.h"

#include <fmt/format.h>

#include "cli/text.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

const json* field(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string text_of(const json& object, const char* key) {
  const json* found = field(object, key);
  return found != nullptr && found->is_string() ? printable(found->get_ref<const std::string&>()) : std::string();
}

std::optional<double> number_of(const json& object, const char* key) {
  const json* found = field(object, key);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

const json& list_of(const json& object, const char* key) {
  static const json none = json::array();
  const json* found = field(object, key);
  return found != nullptr && found->is_array() ? *found : none;
}

const json& object_of(const json& object, const char* key) {
  static const json none = json::object();
  const json* found = field(object, key);
  return found != nullptr && found->is_object() ? *found : none;
}

std::string scalar_text(const json& value) {
  if (value.is_string()) return printable(value.get_ref<const std::string&>());
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string losses_text(const json& object, const char* key) {
  if (const auto number = number_of(object, key)) return value_text(*number, "");
  double sum = 0;
  std::string reasons;
  for (const auto& [reason, count] : object_of(object, key).items()) {
    if (!count.is_number() || count.get<double>() == 0) continue;
    sum += count.get<double>();
    reasons +=
        fmt::format("{}{} {}", reasons.empty() ? "" : ", ", printable(reason), value_text(count.get<double>(), ""));
  }
  return reasons.empty() ? "0" : fmt::format("{} ({})", value_text(sum, ""), reasons);
}

}  // namespace diagnose::cli
