// Whether an answer of the sandboxed reader can be true.  What the rest of the daemon takes for granted is checked
// here: registers that exist, indexes that point at something, lists as long as asked for, types that do not contain
// themselves.
#pragma once

#include <vector>

#include "target/answer.h"
#include "target/debug_info.h"
#include "target/reader_wire.h"

namespace diagnose::target {

// nullptr: nothing is wrong with it; else what is, for an error's `why`.
[[nodiscard]] const char* fault_in(const FileAnswer& answer, const FileRequest& request);
[[nodiscard]] const char* fault_in(const CallersAnswer& answer, const CallersRequest& request);
[[nodiscard]] const char* fault_in(const std::vector<ReturnSite>& answer, const ReturnSitesRequest& request);
[[nodiscard]] const char* fault_in(const Traits& answer, const TraitsRequest& request);
[[nodiscard]] const char* fault_in(const Identity& answer, const IdentityRequest& request);
[[nodiscard]] const char* fault_in(const DebugInfo& answer, const DescribeRequest& request);
[[nodiscard]] const char* fault_in(const ListAnswer& answer, const ListRequest& request);
[[nodiscard]] const char* fault_in(const std::vector<Symbolized>& answer, const SymbolizeRequest& request);

}  // namespace diagnose::target
