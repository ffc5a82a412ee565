// Probe: how it sees returns, and what it learns about callers.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "app/probe.h"
#include "app/strategy.h"
#include "app/survey.h"
#include "bpf/contract.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

// Unknown callers come in bursts: one link for all of them.
constexpr auto settle_time = 20ms;
// After so long without an unknown caller, and so many calls, the exits are let go.  A function that is hardly called
// keeps them: they cost nothing then.
constexpr auto quiet_time = 1s;
constexpr std::uint64_t quiet_calls = 1'000;
constexpr auto quiet_time_most = 16s;  // between looks at one that is hardly called
// A program that has read the old word is through by then.
constexpr auto hand_over_time = 50ms;

}  // namespace

Status Probe::choose_returns(Grip& grip, const std::optional<target::Process>& process) {
  if (!wants_return_) return {};
  const Surroundings around = parts_.survey.around(grip.processes, process.has_value());
  for (const target::Function& function : grip.module.functions) {
    auto chosen = choose_return(spec_.return_strategy, function, around, needs_result());
    if (!chosen) {
      Error refused = chosen.error();
      refused.where = grip.module.path;
      return failure(std::move(refused));
    }
    // For every process of the host callers would be looked for everywhere.
    if (spec_.target.by == spec::TargetBy::all && chosen->strategy == attach::Strategy::callers &&
        spec_.return_strategy == spec::ReturnStrategy::automatic) {
      chosen->strategy = attach::Strategy::sites;
      chosen->why += "; and the callers of every process are too many";
    }
    if (forms_.all.uses_result_words && chosen->strategy == attach::Strategy::callers) {
      if (spec_.return_strategy == spec::ReturnStrategy::callers || !function.exits_error.empty()) {
        return failure({.what = "see the result of `" + function.name + "`",
                        .where = grip.module.path,
                        .why = "it comes in several registers, of which only the first is known at callers" +
                               (function.exits_error.empty() ? "" : "; and of its exits: " + function.exits_error),
                        .mend = "leave `return: callers` out, or ask for no more than the result's first 8 bytes"});
      }
      chosen->strategy = attach::Strategy::sites;
      chosen->why += "; and at callers only the first of the result's registers is known";
    }
    chosen->jumps = leaves_by_jump(function) || !function.exits_error.empty();
    grip.returns.push_back(std::move(*chosen));
  }
  trust_callers(grip);
  callers_.number(grip.module, grip.returns);
  std::vector<std::string> notes;
  if (grip.processes.empty() || !process) callers_.find(grip.module, grip.returns, std::nullopt, true, notes);
  const bool has_session = loaded_ && loaded_->program(compile::ProgramRole::session) >= 0;
  const bool keeps_frames = std::any_of(grip.returns.begin(), grip.returns.end(),
                                        [&](const attach::Return& one) { return !has_session || !one.only_returns; });
  for (const target::Process& one : grip.processes) {
    callers_.find(grip.module, grip.returns, one, !process, notes);
    if (keeps_frames) watch_unwinding(one);
  }
  for (const std::string& note : notes) add_note(note);
  return {};
}

bool Probe::needs_result() const {
  return std::any_of(forms_.all.instruments.begin(), forms_.all.instruments.end(),
                     [](const auto& instrument) { return instrument.uses_result; });
}

// Where every function is left by jumps and the result is wanted, the exits would end calls before it is known: from
// the first call on only callers end them.
void Probe::trust_callers(const Grip& grip) {
  if (!needs_result() || handed_over_) return;
  bool any = false;
  for (std::size_t at = 0; at < grip.returns.size(); ++at) {
    if (grip.returns[at].strategy != attach::Strategy::callers) continue;
    if (!leaves_by_jump(grip.module.functions[at])) return;
    any = true;
  }
  if (!any) return;
  handed_over_ = true;
  loaded_->callers_only(true);
}

// ---- frames left without a return ----

Status Probe::watch_threads() {
  thread_end_.reset();
  if (loaded_->program(compile::ProgramRole::thread_end) < 0) return {};
  auto link = attach::attach_thread_end(*loaded_);
  if (!link) return tl::unexpected(link.error());
  thread_end_ = std::move(*link);
  return {};
}

void Probe::watch_unwinding(const target::Process& process) {
  if (rehearsal_ || !wants_return_ || loaded_->program(compile::ProgramRole::unwind) < 0 ||
      unwinding_.contains(process.pid))
    return;
  std::vector<Fd>& links = unwinding_[process.pid];
  for (const Survey::Runtime& runtime : parts_.survey.runtimes(process)) {
    auto made = attach::attach_sites(parts_.kernel, parts_.detacher, *loaded_, compile::ProgramRole::unwind,
                                     runtime.catches, *runtime.in.file, runtime.in.path, process.pid);
    if (!made) {
      add_note("exceptions in " + runtime.in.path + " are noticed late: " + made.error().text());
      continue;
    }
    std::move(made->begin(), made->end(), std::back_inserter(links));
  }
}

// Of a process that has gone.
void Probe::forget_runtime(pid_t pid) {
  std::vector<Fd> links = callers_.process_gone(pid);
  if (const auto held = unwinding_.find(pid); held != unwinding_.end()) {
    std::move(held->second.begin(), held->second.end(), std::back_inserter(links));
    unwinding_.erase(held);
  }
  parts_.detacher.detach(std::move(links), [] {});
}

// Everything beside the grips.
std::vector<Fd> Probe::runtime_links() {
  std::vector<Fd> links = callers_.end();
  for (auto& [pid, held] : unwinding_) std::move(held.begin(), held.end(), std::back_inserter(links));
  unwinding_.clear();
  if (thread_end_) links.push_back(std::move(thread_end_));
  return links;
}

// ---- callers ----

void Probe::met_caller(const drain::RawRecord& raw) {
  if (ended()) return;
  callers_.met(raw);
  if (settle_ticket_ != 0) return;
  settle_ticket_ = parts_.agenda.after(settle_time, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->settle_ticket_ = 0;
    self->settle_callers();
    self->schedule_hand_over();
  });
}

void Probe::settle_callers() {
  if (ended() || !callers_.unsettled()) return;
  const state::Mark dangerous = mark();
  std::vector<std::string> notes;
  callers_.settle(notes);
  for (const std::string& note : notes) add_note(note);
  for (Grip& grip : grips_) cover_exits(grip);
  publish();
}

// Each unknown caller puts it off.
void Probe::schedule_hand_over() {
  const bool learning =
      std::any_of(grips_.begin(), grips_.end(), [](const Grip& grip) { return !grip.attachment.learning.empty(); });
  if (handed_over_ || !learning) return;
  look_at_learning(quiet_time, hits());
}

// `known`: the hits at the last news.
void Probe::look_at_learning(std::chrono::milliseconds delay, std::uint64_t known) {
  parts_.agenda.cancel(hand_over_ticket_);
  hand_over_ticket_ = parts_.agenda.after(delay, [weak = weak_from_this(), delay, known] {
    const auto self = weak.lock();
    if (!self) return;
    self->hand_over_ticket_ = 0;
    if (self->hits() - known >= quiet_calls) {
      self->hand_over();
    } else {
      self->look_at_learning(std::min<std::chrono::milliseconds>(delay * 2, quiet_time_most), known);
    }
  });
}

std::uint64_t Probe::hits() const {
  const auto words = ledger();
  return words.size() > LEDGER_HITS ? words[LEDGER_HITS] : 0;
}

// From exits to callers: first no frame is opened any more that its caller would not close; then those that were opened
// before get their callers; then the exits go.
void Probe::hand_over() {
  if (ended() || handed_over_) return;
  handed_over_ = true;
  loaded_->callers_only(true);
  hand_over_ticket_ = parts_.agenda.after(hand_over_time, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->hand_over_ticket_ = 0;
    self->let_exits_go();
  });
}

void Probe::let_exits_go() {
  if (ended()) return;
  parts_.drain();
  settle_callers();
  std::vector<Fd> links;
  for (Grip& grip : grips_) {
    cover_exits(grip);
    std::move(grip.attachment.learning.begin(), grip.attachment.learning.end(), std::back_inserter(links));
    grip.attachment.learning.clear();
  }
  parts_.detacher.detach(std::move(links), [] {});
  publish();
}

// Once the exits are let go those stay that only they can show.
void Probe::cover_exits(Grip& grip) {
  if (!handed_over_) return;
  std::vector<std::uint16_t> numbers;
  for (const std::uint16_t number : callers_.by_exits()) {
    if (!grip.covered.contains(number)) numbers.push_back(number);
  }
  if (numbers.empty()) return;
  auto links = attach::attach_exits(parts_.kernel, parts_.detacher, *loaded_, grip.module, grip.returns, numbers,
                                    grip.attachment.process);
  if (!links) {
    add_error(links.error());
    return;
  }
  grip.covered.insert(numbers.begin(), numbers.end());
  std::move(links->begin(), links->end(), std::back_inserter(grip.attachment.links));
}

// ---- what a call costs ----

double Probe::price_ns() const {
  if (grips_.empty()) return last_price_ns_;
  double dearest = 0;
  for (const Grip& grip : grips_) {
    for (std::size_t at = 0; at < grip.module.functions.size(); ++at) {
      const attach::Strategy strategy = at < grip.returns.size() ? grip.returns[at].strategy : attach::Strategy::none;
      double entry = 0;
      double exit = 0;
      for (const target::Site& site : grip.module.functions[at].sites) {
        double& price = target::is_exit(site.kind) ? exit : entry;
        price = std::max(price, parts_.prices.of(site.cost));
      }
      if (strategy == attach::Strategy::none) exit = 0;
      if (strategy == attach::Strategy::trampoline) exit = parts_.prices.trampoline_ns;
      if (strategy == attach::Strategy::callers && handed_over_ && grip.covered.empty()) {
        exit = parts_.prices.of(callers_.dearest());
      }
      dearest = std::max(dearest, entry + exit);
    }
  }
  return dearest;
}

}  // namespace diagnose::app
