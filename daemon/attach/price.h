// What one hit costs on this host, measured on functions of our own (design D10).
#pragma once

#include "base/result.h"
#include "target/answer.h"

namespace diagnose::attach {

class Detacher;

// Nanoseconds a call with an empty program; 0 if it could not be measured.
struct Prices {
  double optimised_ns = 0;
  double emulated_ns = 0;
  double stepped_ns = 0;

  [[nodiscard]] double of(target::Cost cost) const;
};

// Takes some 30 ms.  The links go through `detacher`.
[[nodiscard]] Prices measure_prices(Detacher& detacher);

}  // namespace diagnose::attach
