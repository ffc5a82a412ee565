// The rival, where it is installed.
#pragma once

#include <string>

#include "support/process.h"

namespace diagnose::bench {

[[nodiscard]] bool have_bpftrace();

// bpftrace running `program` until the result dies; returns when it has attached.
[[nodiscard]] test::Process bpftrace(const std::string& program);

}  // namespace diagnose::bench
