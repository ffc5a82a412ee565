// How much work a heavy test does: all of it on hardware, a part of it under emulation (tests/ladder).
#pragma once

#include <algorithm>
#include <cstdlib>

namespace diagnose::test {

// `full` divided by the environment's DIAGNOSE_TEST_DIVISOR, but at least `least`.
[[nodiscard]] inline long scaled(long full, long least = 1) {
  const char* divisor = std::getenv("DIAGNOSE_TEST_DIVISOR");
  const long by = divisor == nullptr ? 1 : std::max(1L, std::strtol(divisor, nullptr, 10));
  return std::max(full / by, std::min(full, least));
}

}  // namespace diagnose::test
