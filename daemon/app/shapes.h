// The JSON that clients see (spec language §8).  Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "app/probe.h"
#include "app/roster.h"
#include "metrics/registry.h"

namespace diagnose::app {

[[nodiscard]] nlohmann::json attach_shape(const Probe& probe, const attach::Prices& prices);
[[nodiscard]] nlohmann::json list_shape(const Probe& probe);
[[nodiscard]] nlohmann::json status_shape(const Probe& probe, const attach::Prices& prices);
[[nodiscard]] nlohmann::json applied_shape(const Applied& applied);
// What `attach --follow` draws.
[[nodiscard]] nlohmann::json reading_shape(const std::vector<metrics::Family>& families, const Probe& probe);

}  // namespace diagnose::app
