#include "app/probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "app/own_series.h"
#include "event/layout.h"

namespace diagnose::app {
namespace {

constexpr std::size_t errors_kept = 16;
constexpr std::size_t notes_kept = 16;

}  // namespace

const char* text(State state) {
  switch (state) {
    case State::pending:
      return "pending";
    case State::armed:
      return "armed";
    case State::partial:
      return "partial";
    case State::failed:
      return "failed";
    case State::expired:
      return "expired";
    case State::disabled:
      return "disabled";
  }
  return "failed";
}

Probe::Probe(spec::Probe spec, std::string origin, std::uint32_t number, Parts& parts)
    : spec_(std::move(spec)),
      origin_(std::move(origin)),
      custom_text_(spec_.custom.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)),
      number_(number),
      parts_(parts) {}

// One that has ended may outlive the daemon's parts, in a job that is never run: it touches none of them.
Probe::~Probe() {
  if (end_ticket_ != 0) parts_.agenda.cancel(end_ticket_);
  if (retry_ticket_ != 0) parts_.agenda.cancel(retry_ticket_);
  if (!grips_.empty()) let_go(std::move(grips_), {});
}

std::string Probe::series_key() const {
  return spec_.id + "#" + std::to_string(number_) + "." + std::to_string(lives_);
}

// ---- arming ----

void Probe::arm() {
  errors_.clear();
  notes_.clear();
  applied_.clear();
  last_ledger_.clear();
  loaded_ = nullptr;
  enabled_ = false;
  ++lives_;
  state_ = State::pending;
  const auto expiry = expires();
  if (!spec_.enabled) {
    state_ = State::disabled;
  } else if (expiry && *expiry <= lifespan::Clock::now()) {
    state_ = State::expired;
    notes_.push_back("its lifespan is over: " + lifespan::rfc3339(*expiry));
  } else if (Status status = check(); !status) {
    if (errors_.empty()) fail(status.error());
  } else if (Status loaded = load(); !loaded) {
    fail(loaded.error());
  } else {
    attach_now();
  }
  publish();
}

Status Probe::check() {
  compile::Evaluated evaluated = compile::evaluate(spec_);
  if (!evaluated.faults.empty()) {
    for (const spec::Fault& fault : evaluated.faults) fail(fault.error());
    return failure(evaluated.faults.front().error());
  }
  evaluation_ = std::move(evaluated.probe);
  wants_return_ = std::any_of(evaluation_.instruments.begin(), evaluation_.instruments.end(),
                              [](const auto& instrument) { return instrument.phase == compile::Phase::return_; });
  const bool asks_for_more = spec_.return_strategy == spec::ReturnStrategy::trampoline ||
                             spec_.return_strategy == spec::ReturnStrategy::callers;
  if (wants_return_ && asks_for_more) {
    return failure({.what = "attach `" + spec_.id + "`",
                    .where = spec_.place.text(),
                    .why = "this version sees returns at the function's exits only",
                    .mend = "write `return: auto` or `return: sites`"});
  }
  return {};
}

Status Probe::load() {
  plan_ = compile::plan(spec_, evaluation_, parts_.stencils);
  auto loaded = attach::LoadedProbe::load(plan_, parts_.stencils, number_, spec_.id);
  if (!loaded) return tl::unexpected(loaded.error());
  loaded_ = std::move(*loaded);
  return add_series();
}

Status Probe::add_series() {
  parts_.registry.drop(spec_.id);  // those of an earlier probe of this name, kept for their retention
  foldings_.clear();
  for (std::size_t index = 0; index < spec_.instruments.size(); ++index) {
    const spec::Instrument& instrument = spec_.instruments[index];
    foldings_.push_back(nullptr);
    if (instrument.type == spec::InstrumentType::log) continue;
    const metrics::Shape shape = shape_of(spec_, instrument, evaluation_.instruments[index]);
    metrics::Registry::Read read;
    if (evaluation_.instruments[index].fold) {
      read = [loaded = std::shared_ptr<const attach::LoadedProbe>(loaded_), index]() -> Result<metrics::Reading> {
        return loaded->read(index).map([](attach::InstrumentWords words) { return reading_of(std::move(words)); });
      };
    } else {
      foldings_.back() = std::make_shared<metrics::Accumulator>(shape);
      read = [folding = foldings_.back()]() -> Result<metrics::Reading> { return folding->read(); };
    }
    if (auto status = parts_.registry.add(series_key(), shape, std::move(read)); !status) return status;
  }
  return {};
}

void Probe::attach_now() {
  auto resolution = parts_.resolver.resolve(spec_.target, wants_return_);
  if (!resolution) {
    fail(resolution.error());
    return;
  }
  for (const std::string& note : resolution->notes) add_note(note);
  // With `all`, a process that cannot be read is no concern of this probe unless it says so by name.
  if (spec_.target.by != spec::TargetBy::all) {
    for (const auto& [process, error] : resolution->errors) note_error(process, error);
  }
  for (const target::Module& module : resolution->modules) {
    for (const Error& error : attach_module(module)) add_error(error);
  }
  if (auto status = enable(); !status) {
    fail(status.error());
    return;
  }
  settle_state();
  if (state_ == State::failed) {
    end(State::failed, "");
  } else if (state_ == State::pending) {
    add_note("no process matches yet: it is attached when one starts");
  } else if (processes().empty()) {
    add_note("no process runs it now: those that start are measured from their first instruction");
  }
}

Status Probe::enable() {
  const auto expiry = expires();
  std::optional<std::chrono::nanoseconds> time;
  if (expiry) time = *expiry - lifespan::Clock::now();
  if (auto status = loaded_->enable(parts_.stencils, time, spec_.lifespan.hits); !status) return status;
  enabled_ = true;
  schedule_end();
  return {};
}

const Grip* Probe::grip_on(const target::Module& module, std::optional<pid_t> process) const {
  const auto found = std::find_if(grips_.begin(), grips_.end(), [&](const Grip& known) {
    return known.attachment.process == process && known.attachment.device == module.device &&
           known.attachment.inode == module.inode;
  });
  return found == grips_.end() ? nullptr : &*found;
}

// A file that only its own processes map can be probed whole, so that those to come are counted from their first
// instruction; a library under a process target must not cost the others anything.
std::vector<Error> Probe::attach_module(const target::Module& module) {
  const bool whole_file =
      spec_.target.by == spec::TargetBy::all || (spec_.target.by == spec::TargetBy::exe && module.is_executable);
  if (grip_on(module, std::nullopt) != nullptr) return {};
  // Once attached one by one it stays so: a breakpoint for all beside those would count twice.
  const bool one_by_one = std::any_of(grips_.begin(), grips_.end(), [&](const Grip& known) {
    return known.attachment.process && known.attachment.device == module.device &&
           known.attachment.inode == module.inode;
  });
  if (whole_file && !one_by_one) {
    auto lease = attach::Lease::take(*module.file);
    if (lease) {
      auto status = hold(module, std::nullopt, std::move(*lease));
      return status ? std::vector<Error>{} : std::vector{status.error()};
    }
    add_note(module.path + ": no read lease (" + lease.error().why + "): processes are attached one by one");
  }
  std::vector<Error> errors;
  for (const target::Process& process : module.processes) {
    if (grip_on(module, process.pid) != nullptr) continue;
    auto status = hold(module, process, std::nullopt);
    if (status) continue;
    applied_[process_key(process)] = status.error().text();
    errors.push_back(status.error());
  }
  return errors;
}

Status Probe::hold(const target::Module& module, std::optional<target::Process> process,
                   std::optional<attach::Lease> lease) {
  const auto gone = [&] {
    return failure({.what = "attach",
                    .where = "process " + std::to_string(process->pid),
                    .why = "the process has gone",
                    .mend = "choose a running one, or target it by `exe`"});
  };
  Grip made;
  made.lease = std::move(lease);
  // The pidfd first, the start time then: a pid that was used again in between is noticed, before and after.
  if (process) {
    made.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, process->pid, 0)));
    if (!made.pidfd || !parts_.proc.alive(*process)) return gone();
  }
  auto attachment = attach::attach(*loaded_, module, process ? std::optional(process->pid) : std::nullopt);
  if (!attachment) return tl::unexpected(attachment.error());
  made.attachment = std::move(*attachment);
  for (const std::string& note : made.attachment.notes) add_note(note);
  made.path = module.path;
  made.build_id = module.build_id;
  made.functions = module.functions;
  made.processes = process ? std::vector{*process} : module.processes;
  if (process && !parts_.proc.alive(*process)) {
    std::vector<Grip> late;
    late.push_back(std::move(made));
    let_go(std::move(late), {});
    return gone();
  }
  for (const target::Process& one : made.processes) applied_[process_key(one)] = "";
  grips_.push_back(std::move(made));
  if (process) watch(grips_.back());
  return {};
}

// ---- what others see ----

std::string Probe::process_key(const target::Process& process) const {
  return parts_.host + ":" + std::to_string(process.pid) + ":" + std::to_string(process.start_ticks);
}

std::vector<target::Process> Probe::processes() const {
  std::vector<target::Process> alive;
  for (const Grip& grip : grips_) {
    for (const target::Process& process : grip.processes) {
      const bool listed = std::find(alive.begin(), alive.end(), process) != alive.end();
      if (!listed && parts_.proc.alive(process)) alive.push_back(process);
    }
  }
  return alive;
}

std::vector<std::uint64_t> Probe::ledger() const {
  if (!loaded_) return last_ledger_;
  return loaded_->ledger().value_or(last_ledger_);
}

double Probe::price_ns() const {
  if (grips_.empty()) return last_price_ns_;
  double entry = 0;
  double exit = 0;
  for (const Grip& grip : grips_) {
    for (const target::Function& function : grip.functions) {
      for (const target::Site& site : function.sites) {
        double& dearest = site.kind == target::SiteKind::entry ? entry : exit;
        dearest = std::max(dearest, parts_.prices.of(site.cost));
      }
    }
  }
  return entry + (wants_return_ ? exit : 0);
}

// Processes of a grip on a whole file come and go unwatched: those that have gone are forgotten here.
void Probe::forget_dead() {
  for (Grip& grip : grips_) {
    std::erase_if(grip.processes, [&](const target::Process& process) {
      const bool dead = !parts_.proc.alive(process);
      if (dead) applied_.erase(process_key(process));
      return dead;
    });
  }
}

void Probe::publish() {
  forget_dead();
  ProbeView view;
  view.target = spec_.target.text();
  view.state = text(state_);
  view.loaded = loaded_;
  view.ledger = last_ledger_;
  view.price_seconds = price_ns() * 1e-9;
  view.expires = expires();
  for (const target::Process& process : processes()) view.processes.push_back(process.pid);
  view.errors = error_counts_;
  view.events_lost = slow_follower_;
  parts_.own.show(spec_.id, std::move(view));
}

void Probe::add_note(const std::string& note) {
  if (notes_.size() < notes_kept && std::find(notes_.begin(), notes_.end(), note) == notes_.end())
    notes_.push_back(note);
}

void Probe::add_error(const Error& error) {
  ++error_counts_["attach"];
  if (errors_.size() < errors_kept && std::find(errors_.begin(), errors_.end(), error) == errors_.end()) {
    errors_.push_back(error);
  }
}

void Probe::fail(Error error) {
  add_error(error);
  end(State::failed, "");
}

void Probe::note_error(const target::Process& process, const Error& error) {
  applied_[process_key(process)] = error.text();
  add_error(error);
}

void Probe::settle_state() {
  if (ended()) return;
  if (grips_.empty()) {
    state_ = !errors_.empty() && !follows_processes() ? State::failed : State::pending;
  } else {
    state_ = errors_.empty() ? State::armed : State::partial;
  }
}

}  // namespace diagnose::app
