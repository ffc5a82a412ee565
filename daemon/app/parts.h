// What a probe needs of the daemon around it.  All borrowed; the daemon owns them and dies last.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "app/agenda.h"
#include "app/run_times.h"
#include "attach/detacher.h"
#include "attach/kernel.h"
#include "attach/price.h"
#include "base/log.h"
#include "compile/stencil.h"
#include "loop/loop.h"
#include "metrics/registry.h"
#include "state/tombstones.h"
#include "target/debug_search.h"
#include "target/resolver.h"
#include "target/symbols.h"

namespace diagnose::app {

class OwnSeries;
class Survey;

struct Parts {
  loop::Loop& loop;
  Log& log;
  Agenda& agenda;
  const target::ProcFs& proc;
  target::DebugSearch& reader;
  target::Resolver& resolver;
  Survey& survey;
  target::Symbols& symbols;
  compile::Stencils& stencils;
  attach::Detacher& detacher;
  attach::Kernel kernel;
  metrics::Registry& registry;
  OwnSeries& own;
  attach::Prices prices;
  RunTimes run_times;
  std::string host;
  const state::Tombstones* tombstones;  // null: there is no state directory
  double probe_overhead;                // budget of a probe that names none, as a fraction of a core
  std::function<void()> changed;        // some probe's state, or what it is attached to, has changed
  std::function<void()> drain;          // takes every record that is in the ring now
};

}  // namespace diagnose::app
