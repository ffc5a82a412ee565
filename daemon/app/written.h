// Errors in a spec that a client wrote as JSON: it is shown the texts that it gave, not columns of the JSON.  Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "control/protocol.h"

namespace diagnose::app {

// `errors` (at least one) whose places are in `text`, the JSON that was read under the name `origin`.  A place in a
// text value is told as that value with the column in it; any other place of the JSON is left out.
[[nodiscard]] control::Refusal refusal(const std::vector<Error>& errors, const std::string& text,
                                       const std::string& origin);

}  // namespace diagnose::app
