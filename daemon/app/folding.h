// How an instrument's words become series: the shape, and the accumulator of records that the daemon folds itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "attach/loaded_probe.h"
#include "compile/evaluation.h"
#include "metrics/registry.h"
#include "spec/spec.h"

namespace diagnose::app {

// Records arrive on the loop, scrapes on the HTTP thread.
class Folding {
 public:
  explicit Folding(metrics::Shape shape) : accumulator_(std::move(shape)) {}
  void add(std::span<const std::byte> key, std::int64_t value) {
    const std::lock_guard lock(mutex_);
    accumulator_.add(key, value);
  }
  [[nodiscard]] metrics::Reading read() const {
    const std::lock_guard lock(mutex_);
    return accumulator_.read();
  }

 private:
  mutable std::mutex mutex_;
  metrics::Accumulator accumulator_;
};

// The instrument's series under their Prometheus name: with the value's unit behind the name as written.
[[nodiscard]] metrics::Shape shape_of(const spec::Probe& probe, const spec::Instrument& instrument,
                                      const compile::Evaluation& evaluation);

[[nodiscard]] metrics::Reading reading_of(attach::InstrumentWords words);

}  // namespace diagnose::app
