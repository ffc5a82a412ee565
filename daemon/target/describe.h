// What debug information says of places, and which functions a file has: the reader's side of describe() and list().
#pragma once

#include "base/result.h"
#include "target/answer.h"
#include "target/debug_info.h"

namespace diagnose::target {

// As FileReader says.
[[nodiscard]] Result<DebugInfo> describe_places(const DescribeRequest& request);
[[nodiscard]] Result<ListAnswer> list_functions(const ListRequest& request);

}  // namespace diagnose::target
