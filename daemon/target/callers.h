// Who calls a function: the call sites that can be read from the code, and the places behind them where a return shows.
#pragma once

#include <vector>

#include "base/result.h"
#include "target/answer.h"

namespace diagnose::target {

[[nodiscard]] Result<CallersAnswer> find_callers(const CallersRequest& request);
[[nodiscard]] Result<std::vector<ReturnSite>> find_return_sites(const ReturnSitesRequest& request);

}  // namespace diagnose::target
