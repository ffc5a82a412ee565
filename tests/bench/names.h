// What the program's own names cost: at a hit, and at an attach.
#pragma once

#include <vector>

#include "bench/load.h"
#include "bench/table.h"
#include "support/daemon.h"

namespace diagnose::bench {

[[nodiscard]] std::vector<Row> name_rows(const test::Daemon& daemon, Load& load);

// Attaching to bench_large, an executable of some 50 MB with its debug information.
[[nodiscard]] std::vector<Row> large_rows();

}  // namespace diagnose::bench
