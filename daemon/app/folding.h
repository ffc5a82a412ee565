// How an instrument's words become series.
#pragma once

#include "attach/loaded_probe.h"
#include "compile/evaluation.h"
#include "metrics/registry.h"
#include "spec/spec.h"

namespace diagnose::app {

// The instrument's series under their Prometheus name: with the value's unit behind the name as written.
[[nodiscard]] metrics::Shape shape_of(const spec::Probe& probe, const spec::Instrument& instrument,
                                      const compile::Evaluation& evaluation);

[[nodiscard]] metrics::Reading reading_of(attach::InstrumentWords words);

}  // namespace diagnose::app
