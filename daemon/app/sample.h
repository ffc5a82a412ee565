// How often a function is called, from a bare counter that is attached for a moment (hazard 18: a look before the
// leap).
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "app/parts.h"
#include "app/roster.h"
#include "base/result.h"

namespace diagnose::app {

// Counts calls of the target of `spec` for `time` and answers {"seconds","hits","rate","overhead"}: calls a second, and
// what they would cost at `price_ns` each, as a fraction of a core.  The counter is a probe as any other, with a budget
// and a lifespan; one that was ended early says so in "why".  Loop thread only.
void sample(Parts& parts, Roster& roster, const spec::Probe& spec, std::chrono::milliseconds time, double price_ns,
            std::function<void(Result<nlohmann::json>)> answer);

}  // namespace diagnose::app
