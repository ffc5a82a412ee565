// Fields of a JSON answer that may be missing or of another type.  Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace diagnose::cli {

// Printable; empty if there is no such text.
[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* key);

// nullopt if there is no such number.
[[nodiscard]] std::optional<double> number_of(const nlohmann::json& object, const char* key);

// The list under `key`; an empty one if there is none.
[[nodiscard]] const nlohmann::json& list_of(const nlohmann::json& object, const char* key);

// The object under `key`; an empty one if there is none.
[[nodiscard]] const nlohmann::json& object_of(const nlohmann::json& object, const char* key);

// A scalar as text: strings without quotes, printable.
[[nodiscard]] std::string scalar_text(const nlohmann::json& value);

// {"ring_full": 3, "series": 1} -> "4 (ring_full 3, series 1)"; a number stays one; zeros are left out.
[[nodiscard]] std::string losses_text(const nlohmann::json& object, const char* key);

}  // namespace diagnose::cli
