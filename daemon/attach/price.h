// What one hit costs on this host, measured on functions of our own (design D10).
#pragma once

#include <cstddef>
#include <vector>

#include "attach/kernel.h"
#include "target/answer.h"

namespace diagnose::attach {

class Detacher;

// Nanoseconds a call with an empty program; 0 if it could not be measured.
struct Prices {
  double optimised_ns = 0;
  double emulated_ns = 0;
  double stepped_ns = 0;
  double trampoline_ns = 0;  // of a return through a uretprobe, on top of its entry's breakpoint

  [[nodiscard]] double of(target::Cost cost) const;
};

// Takes some 30 ms.  The links go through `detacher`.  Main thread, before others start: it forks.
[[nodiscard]] Prices measure_prices(const Kernel& kernel, Detacher& detacher);

// What `programs`, which are loaded for plain links, take beyond an empty one when a breakpoint runs them all, ns; 0 if
// it could not be measured.  `number` is 0, 1 or 2, once each: links of an earlier measurement may still stand.
[[nodiscard]] double measure_run_ns(const Kernel& kernel, Detacher& detacher, const Prices& prices,
                                    const std::vector<int>& programs, std::size_t number);
inline constexpr std::size_t run_measurements = 3;

}  // namespace diagnose::attach
