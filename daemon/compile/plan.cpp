#include "compile/plan.h"

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "bpf/contract.h"

namespace diagnose::compile {
namespace {

// Sites that need more than their cookie (jumps out of the function): each once, with room for modules that come later.
constexpr std::uint32_t sites_entries = 4096;
constexpr std::uint32_t entry_sites_entries = 256;  // entries say little, and most of them the same

static_assert(limits::frames_per_thread == FRAMES_PER_THREAD);
static_assert(2 * limits::callers_per_probe <= CALLERS_MAX, "too many callers can be seen to be too many");

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

std::uint32_t frame_bytes(const ProbeEvaluation& evaluation) {
  return static_cast<std::uint32_t>(sizeof(frame) + evaluation.saved.size() * 8);
}

// Where the frames of a probe are, and how many.
struct Frames {
  bool wanted = false;
  Returns returns;
  std::uint32_t most = 1;
  std::uint32_t slots = 1;  // a power of two

  [[nodiscard]] bool keyed() const { return returns.frames != FrameKey::thread; }
};

void plan_frames_map(const ProbeEvaluation& evaluation, const Frames& frames, Plan& plan) {
  if (frames.keyed()) {
    plan.maps.push_back({.role = MapRole::keyed_frames,
                         .type = BPF_MAP_TYPE_HASH,
                         .key_bytes = sizeof(frame_key),
                         .value_bytes = frame_bytes(evaluation),
                         .entries = frames.returns.frames == FrameKey::stack ? STACK_FRAMES_MAX : FRAMES_MAX,
                         .flags = BPF_F_NO_PREALLOC});
    plan.maps.push_back({.role = MapRole::openers, .type = BPF_MAP_TYPE_TASK_STORAGE, .value_bytes = 8, .entries = 0});
  } else {
    plan.maps.push_back(
        {.role = MapRole::frames,
         .type = BPF_MAP_TYPE_TASK_STORAGE,
         .value_bytes = static_cast<std::uint32_t>(sizeof(thread_frames)) + frames.slots * frame_bytes(evaluation),
         .entries = 0});
  }
}

void plan_maps(const spec::Probe& probe, const ProbeEvaluation& evaluation, const Frames& frames, Plan& plan) {
  plan.maps.push_back({.role = MapRole::control, .value_bytes = sizeof(control), .flags = BPF_F_MMAPABLE});
  plan.maps.push_back(
      {.role = MapRole::ledger, .type = BPF_MAP_TYPE_PERCPU_ARRAY, .value_bytes = plan.ledger_words * 8});
  plan.maps.push_back({.role = MapRole::sites,
                       .value_bytes = sizeof(site),
                       .entries = frames.wanted ? sites_entries : entry_sites_entries});
  for (std::size_t index = 0; index < evaluation.instruments.size(); ++index) {
    plan_series_map(probe, evaluation.instruments[index], static_cast<int>(index), plan);
  }
  if (!frames.wanted) return;
  plan_frames_map(evaluation, frames, plan);
  if (!frames.returns.callers) return;
  plan.maps.push_back({.role = MapRole::callers,
                       .type = BPF_MAP_TYPE_HASH,
                       .key_bytes = 8,
                       .value_bytes = 4,
                       .entries = CALLERS_MAX,
                       .flags = BPF_F_NO_PREALLOC});
  plan.maps.push_back({.role = MapRole::callers_at_hand, .value_bytes = 8, .entries = 1U << AT_HAND_BITS});
}

bool runs_at(Phase phase, int hole) {
  switch (phase) {
    case Phase::call:
      return hole == HOLE_CALL;
    case Phase::return_:
      return hole == HOLE_RETURN;
    case Phase::error:
      return hole == HOLE_ERROR;
    case Phase::end:
      return hole == HOLE_RETURN || hole == HOLE_ERROR;
  }
  return false;
}

// Puts drivers and the bodies of instruments together.
class ProgramPlanner {
 public:
  ProgramPlanner(const ProbeEvaluation& evaluation, const Plan& plan, const Stencils& stencils, const Frames& frames)
      : evaluation_(evaluation), plan_(plan), stencils_(stencils), frames_(frames) {}

  // A driver, each of `holes` filled with the instruments that run there.
  [[nodiscard]] Linked link(StencilName driver, std::initializer_list<int> holes) const {
    Linker linker;
    const Linker::Number entry = linker.reserve();
    Linker::Holes filled;
    for (const int hole : holes) {
      if (hole == HOLE_CAPTURE) {
        if (evaluation_.capture) filled[hole] = linker.add(evaluation_.capture->instructions);
      } else if (const auto bodies = add_bodies(hole, linker); !bodies.empty()) {
        filled[hole] = linker.add_sequence(bodies);
      }
    }
    const bool stacked = frames_.returns.callers || frames_.returns.trampoline;
    const bool goroutines = frames_.returns.frames == FrameKey::goroutine;
    const Linker::Constants constants = {{CONSTANT_FRAME_SIZE, frame_bytes(evaluation_)},
                                         {CONSTANT_FRAMES_MAX, frames_.most},
                                         {CONSTANT_FRAMES_MASK, frames_.slots - 1},
                                         {CONSTANT_STACKED, stacked ? 1 : 0},
                                         {CONSTANT_GOROUTINES, goroutines ? 1 : 0}};
    linker.add(stencils_.get(driver), filled, constants, -1, entry);
    return linker.link();
  }

 private:
  [[nodiscard]] std::vector<Linker::Body> add_bodies(int hole, Linker& linker) const {
    std::vector<Linker::Body> bodies;
    for (std::size_t index = 0; index < plan_.instruments.size(); ++index) {
      const Evaluation& compiled = evaluation_.instruments[index];
      const InstrumentPlan& instrument = plan_.instruments[index];
      if (!runs_at(compiled.phase, hole)) continue;
      Linker::Holes holes = {{HOLE_EVALUATE, linker.add(compiled.evaluate.instructions)}};
      if (!compiled.fold) holes[HOLE_ADMIT] = linker.add(compiled.admit.instructions);
      const Linker::Constants constants = {{CONSTANT_BASE, instrument.base},
                                           {CONSTANT_GAUGE_MASK, instrument.gauge_mask},
                                           {CONSTANT_RECORD_SIZE, instrument.record_bytes},
                                           {CONSTANT_INSTRUMENT, index}};
      bodies.push_back(
          {.function = linker.add(stencils_.get(instrument.stencil), holes, constants, static_cast<int>(index)),
           .needs_result = compiled.uses_result && hole == HOLE_RETURN});
    }
    return bodies;
  }

  const ProbeEvaluation& evaluation_;
  const Plan& plan_;
  const Stencils& stencils_;
  const Frames& frames_;
};

// Between entry and return a session keeps the time alone.
bool fits_session(const ProbeEvaluation& evaluation) {
  return evaluation.saved.empty() && !evaluation.capture && !evaluation.uses_depth;
}

void plan_programs(const ProgramPlanner& planner, const Frames& frames, Plan& plan) {
  if (!frames.wanted) {
    plan.entry = planner.link(StencilName::on_call, {HOLE_CALL});
    return;
  }
  const bool keyed = frames.keyed();
  const auto either = [&](StencilName by_thread, StencilName by_key) { return keyed ? by_key : by_thread; };
  const StencilName entry = frames.returns.callers
                                ? either(StencilName::on_enter_callers, StencilName::on_enter_callers_keyed)
                                : either(StencilName::on_enter, StencilName::on_enter_keyed);
  plan.entry = planner.link(entry, {HOLE_CALL, HOLE_CAPTURE, HOLE_ERROR});
  // Where a call returns, those that it left behind are found only on one stack.
  const auto at_return = [&](StencilName by_thread, StencilName by_key) {
    return keyed ? planner.link(by_key, {HOLE_RETURN}) : planner.link(by_thread, {HOLE_RETURN, HOLE_ERROR});
  };
  plan.exit = at_return(StencilName::on_exit, StencilName::on_exit_keyed);
  if (frames.returns.callers || frames.returns.trampoline) {
    plan.caller = at_return(StencilName::on_caller, StencilName::on_caller_keyed);
  }
  // Goroutines unwind by themselves, and belong to no thread.
  if (frames.returns.frames == FrameKey::goroutine) return;
  plan.unwind = planner.link(either(StencilName::on_unwind, StencilName::on_unwind_keyed), {HOLE_ERROR});
  plan.thread_end = keyed ? planner.link(StencilName::on_thread_end_keyed, {HOLE_ERROR})
                          : planner.link(StencilName::on_thread_end, {});
}

}  // namespace

std::string_view name_of(ProgramRole role) {
  switch (role) {
    case ProgramRole::entry:
      return "entry";
    case ProgramRole::exit:
      return "exit";
    case ProgramRole::caller:
      return "caller";
    case ProgramRole::unwind:
      return "unwind";
    case ProgramRole::thread_end:
      return "thread_end";
    case ProgramRole::session:
      return "session";
  }
  return "program";
}

const Linked* Plan::program(ProgramRole role) const {
  const auto present = [](const std::optional<Linked>& linked) { return linked ? &*linked : nullptr; };
  switch (role) {
    case ProgramRole::entry:
      return &entry;
    case ProgramRole::exit:
      return present(exit);
    case ProgramRole::caller:
      return present(caller);
    case ProgramRole::unwind:
      return present(unwind);
    case ProgramRole::thread_end:
      return present(thread_end);
    case ProgramRole::session:
      return present(session);
  }
  return nullptr;
}

Plan plan(const spec::Probe& probe, const ProbeEvaluation& evaluation, const Stencils& stencils,
          const Returns& returns) {
  Plan made;
  made.ledger_words = LEDGER_FIXED_WORDS;
  made.may_sleep = evaluation.may_sleep;
  made.records_per_second = probe.limits.records_per_second;
  Frames frames{.returns = returns};
  const auto most = std::min<std::size_t>(returns.frames_max, probe.limits.frames);
  frames.most = static_cast<std::uint32_t>(std::clamp<std::size_t>(most, 1, FRAMES_PER_THREAD));
  frames.slots = std::bit_ceil(frames.most);
  for (std::size_t index = 0; index < evaluation.instruments.size(); ++index) {
    frames.wanted = frames.wanted || evaluation.instruments[index].phase != Phase::call;
    made.instruments.push_back(plan_instrument(probe.instruments[index], evaluation.instruments[index], made));
  }
  plan_maps(probe, evaluation, frames, made);
  const ProgramPlanner planner(evaluation, made, stencils, frames);
  plan_programs(planner, frames, made);
  const bool has_session = returns.session && !stencils.get(StencilName::on_session).functions.empty();
  if (frames.wanted && has_session && fits_session(evaluation)) {
    made.session = planner.link(StencilName::on_session, {HOLE_CALL, HOLE_RETURN});
  }
  return made;
}

}  // namespace diagnose::compile
