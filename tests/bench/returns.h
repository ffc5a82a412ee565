// Where the breakpoints are put, and what returns cost by each strategy.
#pragma once

#include <vector>

#include "bench/load.h"
#include "bench/table.h"
#include "support/daemon.h"

namespace diagnose::bench {

// A counter on entries that a naive breakpoint would single-step.
[[nodiscard]] std::vector<Row> entry_rows(const test::Daemon& daemon, Load& load);
// A histogram of `elapsed`.
[[nodiscard]] std::vector<Row> return_rows(const test::Daemon& daemon, Load& load);

}  // namespace diagnose::bench
