// The daemon's answers (shapes of the control protocol) as text for people.  Pure; a field that is missing or of
// another type than expected is left out, so that an older client can show a newer daemon's answers.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/terminal.h"

namespace diagnose::cli {

using Now = std::chrono::system_clock::time_point;

[[nodiscard]] std::string attach_text(const nlohmann::json& attached, const Style& style, Now now);
[[nodiscard]] std::string list_text(const nlohmann::json& list, const Style& style);
[[nodiscard]] std::string status_text(const nlohmann::json& status, const Style& style, Now now);
[[nodiscard]] std::string apply_text(const nlohmann::json& applied);

// One probe's explanation, and the listings of its programs where they are there.
[[nodiscard]] std::string explain_text(const nlohmann::json& explained, const Style& style, Now now);
[[nodiscard]] std::string functions_text(const nlohmann::json& functions);

// One line for one record.
[[nodiscard]] std::string event_text(const nlohmann::json& event, const Style& style);

// Every family of a `read`: histograms as bars, the others as a line per series; then hits and losses.
[[nodiscard]] std::string reading_text(const nlohmann::json& reading, const Style& style);

}  // namespace diagnose::cli
