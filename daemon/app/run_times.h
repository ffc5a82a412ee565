// How long a probe's programs run, measured at start on functions of our own.
//
// The kernel could tell it of each program (BPF_ENABLE_STATS), but that needs CAP_SYS_ADMIN, which the unit does not
// have, and costs every program of the host two clock reads a run, 20 to 50 ns where a counter takes as long itself. So
// it is a constant of each kind of probe, measured as the difference to an empty program; only records, which cost the
// most and are not made for every hit, are charged one by one.
#pragma once

#include "attach/detacher.h"
#include "attach/kernel.h"
#include "attach/price.h"
#include "compile/stencil.h"

namespace diagnose::app {

// ns; 0 where it could not be measured.
struct RunTimes {
  double call = 0;    // a counter at the call
  double end = 0;     // both ends of a call whose time is taken
  double record = 0;  // a record, beyond a counter
};

// Takes some 30 ms.  Before the ring is read: a thousand records of a probe 0 go into it.
[[nodiscard]] RunTimes measure_run_times(const attach::Kernel& kernel, const compile::Stencils& stencils,
                                         attach::Detacher& detacher, const attach::Prices& prices);

}  // namespace diagnose::app
