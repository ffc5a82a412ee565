// What a probe needs of the daemon around it.  All borrowed; the daemon owns them and dies last.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "app/agenda.h"
#include "attach/detacher.h"
#include "attach/price.h"
#include "base/log.h"
#include "compile/stencil.h"
#include "loop/loop.h"
#include "metrics/registry.h"
#include "target/resolver.h"

namespace diagnose::app {

class OwnSeries;

struct Parts {
  loop::Loop& loop;
  Log& log;
  Agenda& agenda;
  const target::ProcFs& proc;
  target::Resolver& resolver;
  compile::Stencils& stencils;
  attach::Detacher& detacher;
  metrics::Registry& registry;
  OwnSeries& own;
  attach::Prices prices;
  std::string host;
  std::function<void()> drain;  // takes every record that is in the ring now
};

}  // namespace diagnose::app
