#include "app/run_times.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attach/loaded_probe.h"
#include "compile/evaluation.h"
#include "compile/plan.h"
#include "spec/read.h"

namespace diagnose::app {
namespace {

// Loaded and enabled; null if that fails, which every probe of this daemon will then say better.
std::shared_ptr<attach::LoadedProbe> load(const attach::Kernel& kernel, const std::string& instrument,
                                          const compile::Stencils& stencils) {
  const spec::Document document =
      spec::read("probes: {price: {target: {pid: 1, function: f}, lifespan: 1m, instrument: {" + instrument + "}}}",
                 "price", lifespan::Clock::now());
  if (document.probes.empty()) return nullptr;
  const compile::Evaluated evaluated = compile::evaluate(document.probes.front());
  if (!evaluated.faults.empty()) return nullptr;
  const compile::Plan plan = compile::plan(document.probes.front(), evaluated.probe, stencils);
  auto loaded = attach::LoadedProbe::load(kernel, plan, stencils, 0, "price");
  if (!loaded || !(*loaded)->enable(stencils, std::nullopt, std::nullopt)) return nullptr;
  return std::move(*loaded);
}

}  // namespace

RunTimes measure_run_times(const attach::Kernel& kernel, const compile::Stencils& stencils, attach::Detacher& detacher,
                           const attach::Prices& prices) {
  using compile::ProgramRole;
  RunTimes times;
  if (const auto probe = load(kernel, "type: counter, name: price", stencils)) {
    times.call = attach::measure_run_ns(kernel, detacher, prices, {probe->program(ProgramRole::entry)}, 0);
  }
  // Both on one breakpoint: each hit opens a frame and closes one.
  if (const auto probe = load(kernel, "type: histogram, name: price, value: elapsed", stencils)) {
    times.end = attach::measure_run_ns(kernel, detacher, prices,
                                       {probe->program(ProgramRole::exit), probe->program(ProgramRole::entry)}, 1);
  }
  if (const auto probe = load(kernel, "type: log, value: arg0", stencils)) {
    const double both = attach::measure_run_ns(kernel, detacher, prices, {probe->program(ProgramRole::entry)}, 2);
    times.record = std::max(0.0, both - times.call);
  }
  return times;
}

}  // namespace diagnose::app
