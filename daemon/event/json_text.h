// A record as one JSON object on one line (spec language §8, `events`), written directly: at hundreds of thousands of
// records a second a tree of JSON values would cost more than the probe.
#pragma once

#include <string>
#include <string_view>

#include "event/record.h"

namespace diagnose::event {

// `custom` is JSON text, the probe's free mapping.
[[nodiscard]] std::string json_text(const Record& record, std::string_view custom);

}  // namespace diagnose::event
