#include "compile/plan.h"

#include <algorithm>

#include "bpf/contract.h"

namespace diagnose::compile {
namespace {

// Sites that need more than their cookie (jumps out of the function): each once, with room for modules that come later.
constexpr std::uint32_t sites_entries = 4096;

std::uint64_t gauge_mask(spec::GaugeOperation operation, bool value_is_signed) {
  // Order-preserving to unsigned: flip the sign bit; and the other way round for a minimum.
  const std::uint64_t ascending = value_is_signed ? std::uint64_t{1} << 63U : 0;
  return operation == spec::GaugeOperation::min ? ~ascending : ascending;
}

StencilName stencil_of(const spec::Instrument& instrument, const Evaluation& evaluation) {
  if (!evaluation.fold) return StencilName::record;
  const bool labelled = evaluation.key.size > 0;
  switch (instrument.type) {
    case spec::InstrumentType::counter:
      return labelled ? StencilName::count_labelled : StencilName::count;
    case spec::InstrumentType::histogram:
      return labelled ? StencilName::histogram_labelled : StencilName::histogram;
    case spec::InstrumentType::gauge:
      break;
    case spec::InstrumentType::log:
      return StencilName::record;
  }
  switch (instrument.operation) {
    case spec::GaugeOperation::set:
      return StencilName::gauge_set;
    case spec::GaugeOperation::inc:
    case spec::GaugeOperation::dec:
      return StencilName::gauge_add;
    case spec::GaugeOperation::min:
    case spec::GaugeOperation::max:
      return StencilName::gauge_extreme;
  }
  return StencilName::gauge_set;
}

std::uint32_t words_of(const spec::Instrument& instrument, const Evaluation& evaluation) {
  if (instrument.type == spec::InstrumentType::histogram)
    return static_cast<std::uint32_t>(evaluation.bounds.size()) + 2;
  return 1;
}

InstrumentPlan plan_instrument(const spec::Instrument& instrument, const Evaluation& evaluation, Plan& plan) {
  InstrumentPlan made;
  made.stencil = stencil_of(instrument, evaluation);
  if (made.stencil == StencilName::record) {
    made.record_bytes = static_cast<std::uint32_t>(sizeof(record)) + evaluation.payload.size;
    plan.records = true;
  } else if (instrument.type == spec::InstrumentType::gauge) {
    made.words = sizeof(gauge) / sizeof(std::uint64_t);
    made.gauge_mask = gauge_mask(instrument.operation, evaluation.value_is_signed);
  } else {
    made.words = words_of(instrument, evaluation);
    made.base = plan.ledger_words;
    plan.ledger_words += made.words;
  }
  return made;
}

void plan_series_map(const spec::Probe& probe, const Evaluation& evaluation, int index, Plan& plan) {
  const InstrumentPlan& instrument = plan.instruments[static_cast<std::size_t>(index)];
  const bool labelled = evaluation.key.size > 0;
  const auto series = static_cast<std::uint32_t>(std::max<std::size_t>(probe.limits.series, 1));
  switch (instrument.stencil) {
    case StencilName::count_labelled:
    case StencilName::histogram_labelled:
      plan.maps.push_back({.role = MapRole::series,
                           .instrument = index,
                           .type = BPF_MAP_TYPE_PERCPU_HASH,
                           .key_bytes = evaluation.key.size,
                           .value_bytes = instrument.words * 8,
                           .entries = series});
      break;
    case StencilName::gauge_set:
    case StencilName::gauge_add:
    case StencilName::gauge_extreme:
      plan.maps.push_back({.role = MapRole::gauges,
                           .instrument = index,
                           .type = labelled ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_ARRAY,
                           .key_bytes = labelled ? evaluation.key.size : 4,
                           .value_bytes = sizeof(gauge),
                           .entries = labelled ? series : 1});
      break;
    default:
      break;
  }
}

void plan_maps(const spec::Probe& probe, const ProbeEvaluation& evaluation, bool frames, Plan& plan) {
  plan.maps.push_back({.role = MapRole::control, .value_bytes = sizeof(control), .flags = BPF_F_MMAPABLE});
  plan.maps.push_back(
      {.role = MapRole::ledger, .type = BPF_MAP_TYPE_PERCPU_ARRAY, .value_bytes = plan.ledger_words * 8});
  for (std::size_t index = 0; index < evaluation.instruments.size(); ++index) {
    plan_series_map(probe, evaluation.instruments[index], static_cast<int>(index), plan);
  }
  if (!frames) return;
  const auto frame_bytes = static_cast<std::uint32_t>(sizeof(frame) + evaluation.saved.size() * 8);
  plan.maps.push_back(
      {.role = MapRole::frames,
       .type = BPF_MAP_TYPE_TASK_STORAGE,
       .value_bytes = static_cast<std::uint32_t>(sizeof(thread_frames)) + FRAMES_PER_THREAD * frame_bytes,
       .entries = 0});
  plan.maps.push_back({.role = MapRole::sites, .value_bytes = sizeof(site), .entries = sites_entries});
}

// The program of one phase: its driver, and the bodies of the instruments that run in it.
Linked link_phase(const Stencil& driver, int hole, Phase phase, const ProbeEvaluation& evaluation, const Plan& plan,
                  const Stencils& stencils, bool capture) {
  Linker linker;
  const Linker::Number entry = linker.reserve();
  const Linker::Constants frame = {{CONSTANT_FRAME_SIZE, sizeof(struct frame) + evaluation.saved.size() * 8}};
  Linker::Holes driver_holes;
  std::vector<Linker::Body> bodies;
  for (std::size_t index = 0; index < plan.instruments.size(); ++index) {
    const Evaluation& compiled = evaluation.instruments[index];
    const InstrumentPlan& instrument = plan.instruments[index];
    if (compiled.phase != phase) continue;
    Linker::Holes holes = {{HOLE_EVALUATE, linker.add(compiled.evaluate.instructions)}};
    if (!compiled.fold) holes[HOLE_ADMIT] = linker.add(compiled.admit.instructions);
    const Linker::Constants constants = {{CONSTANT_BASE, instrument.base},
                                         {CONSTANT_GAUGE_MASK, instrument.gauge_mask},
                                         {CONSTANT_RECORD_SIZE, instrument.record_bytes},
                                         {CONSTANT_INSTRUMENT, index}};
    bodies.push_back(
        {.function = linker.add(stencils.get(instrument.stencil), holes, constants, static_cast<int>(index)),
         .needs_result = compiled.uses_result});
  }
  if (!bodies.empty()) driver_holes[hole] = linker.add_sequence(bodies);
  if (capture && evaluation.capture) driver_holes[HOLE_CAPTURE] = linker.add(evaluation.capture->instructions);
  linker.add(driver, driver_holes, frame, -1, entry);
  return linker.link();
}

}  // namespace

Plan plan(const spec::Probe& probe, const ProbeEvaluation& evaluation, const Stencils& stencils) {
  Plan made;
  made.ledger_words = LEDGER_FIXED_WORDS;
  bool frames = false;
  for (std::size_t index = 0; index < evaluation.instruments.size(); ++index) {
    frames = frames || evaluation.instruments[index].phase == Phase::return_;
    made.instruments.push_back(plan_instrument(probe.instruments[index], evaluation.instruments[index], made));
  }
  plan_maps(probe, evaluation, frames, made);
  made.entry = link_phase(stencils.get(frames ? StencilName::on_enter : StencilName::on_call), HOLE_CALL, Phase::call,
                          evaluation, made, stencils, frames);
  if (frames) {
    made.exit =
        link_phase(stencils.get(StencilName::on_exit), HOLE_RETURN, Phase::return_, evaluation, made, stencils, false);
  }
  return made;
}

}  // namespace diagnose::compile
