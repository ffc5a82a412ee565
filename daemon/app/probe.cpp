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

using namespace std::chrono_literals;

// A library is mapped some time after the exec that a process is noticed by.
constexpr std::array<std::chrono::milliseconds, 6> second_looks = {10ms, 25ms, 50ms, 150ms, 500ms, 1500ms};
// The message of the last call may have been lost to a full ring.
constexpr auto hits_poll = 1s;
constexpr std::size_t errors_kept = 16;

std::string count_of(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

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

Probe::~Probe() {
  parts_.agenda.cancel(end_ticket_);
  std::vector<Fd> links;
  for (Grip& grip : grips_) {
    for (Fd& link : grip.attachment.links) links.push_back(std::move(link));
  }
  if (!links.empty()) parts_.detacher.detach(std::move(links), [] {});
}

// ---- arming ----

void Probe::arm() {
  errors_.clear();
  notes_.clear();
  applied_.clear();
  last_ledger_.clear();
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
    if (auto status = parts_.registry.add(spec_.id, shape, std::move(read)); !status) return status;
  }
  return {};
}

void Probe::attach_now() {
  auto resolution = parts_.resolver.resolve(spec_.target, wants_return_);
  if (!resolution) {
    fail(resolution.error());
    return;
  }
  notes_.insert(notes_.end(), resolution->notes.begin(), resolution->notes.end());
  for (const auto& [process, error] : resolution->errors) note_error(process, error);
  for (const target::Module& module : resolution->modules) {
    if (auto status = attach_module(module); !status && grips_.empty()) errors_.push_back(status.error());
  }
  const auto expiry = expires();
  std::optional<std::chrono::nanoseconds> time;
  if (expiry) time = *expiry - lifespan::Clock::now();
  if (auto status = loaded_->enable(parts_.stencils, time, spec_.lifespan.hits); !status) {
    fail(status.error());
    return;
  }
  schedule_end();
  settle_state();
  if (state_ == State::failed) {
    const Error first = errors_.front();
    errors_.erase(errors_.begin());
    fail(first);
  } else if (state_ == State::pending) {
    notes_.push_back("no process matches yet: it is attached when one starts");
  } else if (processes().empty()) {
    notes_.push_back("no process runs it now: those that start are measured from their first instruction");
  }
}

// A file that only its own processes map can be probed whole, so that those to come are counted from their first
// instruction; a library under a process target must not cost the others anything.
Status Probe::attach_module(const target::Module& module) {
  const bool whole_file =
      spec_.target.by == spec::TargetBy::all || (spec_.target.by == spec::TargetBy::exe && module.is_executable);
  if (whole_file) {
    const bool held = std::any_of(grips_.begin(), grips_.end(), [&](const Grip& known) {
      return !known.attachment.process && known.attachment.device == module.device &&
             known.attachment.inode == module.inode;
    });
    if (held) return {};
    return grip(module, std::nullopt);
  }
  Status first;
  for (const target::Process& process : module.processes) {
    if (auto status = grip(module, process); !status) {
      note_error(process, status.error());
      first = status;
    }
  }
  return first;
}

Status Probe::grip(const target::Module& module, std::optional<target::Process> process) {
  Grip made;
  if (!process) {
    auto lease = attach::Lease::take(*module.file);
    if (!lease) {
      notes_.push_back(module.path + ": no read lease (" + lease.error().why + "): processes are attached one by one");
      Status first;
      for (const target::Process& one : module.processes) {
        if (auto status = grip(module, one); !status) first = status;
      }
      return first;
    }
    made.lease = std::move(*lease);
  }
  const auto scope = process ? std::optional(process->pid) : std::nullopt;
  const bool held = std::any_of(grips_.begin(), grips_.end(), [&](const Grip& known) {
    return scope && known.attachment.process == scope && known.attachment.inode == module.inode;
  });
  if (held) return {};
  if (process) {
    made.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, process->pid, 0)));
    // Opened first, compared then: a pid that was used again in between is noticed.
    if (!made.pidfd || !parts_.proc.alive(*process)) {
      return failure({.what = "attach",
                      .where = "process " + std::to_string(process->pid),
                      .why = "the process has gone",
                      .mend = "choose a running one, or target it by `exe`"});
    }
  }
  auto attachment = attach::attach(*loaded_, module, scope);
  if (!attachment) return tl::unexpected(attachment.error());
  made.attachment = std::move(*attachment);
  made.path = module.path;
  made.build_id = module.build_id;
  made.functions = module.functions;
  made.processes = process ? std::vector{*process} : module.processes;
  for (const target::Process& one : made.processes) applied_[process_key(one)] = "";
  grips_.push_back(std::move(made));
  if (process) watch(grips_.back());
  return {};
}

void Probe::watch(Grip& grip) {
  // Weak: the watch lives until the kernel has let go, which may be longer than the probe.
  auto watched = parts_.loop.on_fd(grip.pidfd.get(), EPOLLIN,
                                   [weak = weak_from_this(), pid = *grip.attachment.process](std::uint32_t) {
                                     if (const auto self = weak.lock()) self->process_gone(pid);
                                   });
  if (watched) grip.watch = std::move(*watched);
}

void Probe::process_gone(pid_t pid) {
  const auto self = shared_from_this();
  std::vector<Grip> gone;
  for (auto grip = grips_.begin(); grip != grips_.end();) {
    if (grip->attachment.process == pid) {
      gone.push_back(std::move(*grip));
      grip = grips_.erase(grip);
    } else {
      ++grip;
    }
  }
  let_go(std::move(gone), {});
  if (spec_.target.by == spec::TargetBy::pid && grips_.empty() && !ended()) {
    end(State::expired, "its process has ended");
    if (ended_) ended_(*this);
    return;
  }
  settle_state();
  publish();
}

// ---- processes to come ----

bool Probe::follows_processes() const {
  return !ended() && (spec_.target.by == spec::TargetBy::exe || spec_.target.by == spec::TargetBy::comm);
}

bool Probe::watches_children_of(pid_t pid) const {
  return follows_processes() &&
         std::any_of(grips_.begin(), grips_.end(), [&](const Grip& grip) { return grip.attachment.process == pid; });
}

void Probe::consider(const target::Process& process) {
  if (follows_processes() && target::matches(spec_.target, process)) look_at(process, 0);
}

void Probe::look_at(target::Process process, std::size_t attempt) {
  if (ended() || !parts_.proc.alive(process)) return;
  Error why;
  auto resolution = parts_.resolver.resolve(spec_.target, wants_return_, process);
  bool found = false;
  if (resolution) {
    for (const target::Module& module : resolution->modules) {
      if (auto status = attach_module(module); status) {
        found = true;
        for (Grip& grip : grips_) {
          const bool same = grip.attachment.inode == module.inode && !grip.attachment.process;
          const bool known = std::find(grip.processes.begin(), grip.processes.end(), process) != grip.processes.end();
          if (same && !known) grip.processes.push_back(process);
        }
      } else {
        why = status.error();
      }
    }
    if (!resolution->errors.empty()) why = resolution->errors.front().error;
  } else {
    why = resolution.error();
  }
  if (!found && attempt < second_looks.size()) {
    parts_.agenda.after(second_looks[attempt], [weak = weak_from_this(), process, attempt] {
      if (const auto self = weak.lock()) self->look_at(process, attempt + 1);
    });
    return;
  }
  if (found) {
    applied_[process_key(process)] = "";
  } else if (!why.why.empty()) {
    note_error(process, why);
  }
  settle_state();
  publish();
}

bool Probe::yield_lease(int fd) {
  const auto grip = std::find_if(grips_.begin(), grips_.end(),
                                 [&](const Grip& known) { return known.lease && known.lease->fd() == fd; });
  if (grip == grips_.end()) return false;
  errors_.push_back({.what = "keep `" + spec_.id + "` attached",
                     .where = grip->path,
                     .why = "somebody writes to the file",
                     .mend = "renew the probe when that is done; install new versions by rename"});
  ++error_counts_["lease"];
  std::vector<Grip> given;
  given.push_back(std::move(*grip));
  grips_.erase(grip);
  let_go(std::move(given), {});  // the lease goes with the grip, when the links are gone
  settle_state();
  publish();
  return true;
}

// ---- ending ----

std::optional<lifespan::Clock::time_point> Probe::expires() const {
  return lifespan::expiry(spec_.lifespan, spec_.lastmodified);
}

void Probe::schedule_end() {
  parts_.agenda.cancel(end_ticket_);
  end_ticket_ = 0;
  const auto expiry = expires();
  std::optional<Agenda::Clock::duration> delay;
  if (expiry) delay = std::chrono::duration_cast<Agenda::Clock::duration>(*expiry - lifespan::Clock::now());
  if (spec_.lifespan.hits && (!delay || *delay > hits_poll)) delay = hits_poll;
  if (!delay) return;
  end_ticket_ = parts_.agenda.after(*delay, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->ended()) return;
    const auto over = self->expires();
    const bool time_over = over && *over <= lifespan::Clock::now();
    const auto left = self->hits_left();
    if (!time_over && !(left && *left <= 0)) {
      self->schedule_end();
      return;
    }
    if (time_over) {
      self->end(State::expired, "its lifespan of " + lifespan::text(self->spec_.lifespan) + " is over");
      if (self->ended_) self->ended_(*self);
    } else {
      self->spent();
    }
  });
}

void Probe::spent() {
  if (ended()) return;
  end(State::expired, "its " + count_of(spec_.lifespan.hits.value_or(0), "hit") + " are used up");
  if (ended_) ended_(*this);
}

void Probe::renew(lifespan::Lifespan lifespan, lifespan::Clock::time_point lastmodified) {
  spec_.lifespan = lifespan;
  spec_.lastmodified = lastmodified;
  spec_.written["lifespan"] = lifespan::text(lifespan);
  spec_.written["lastmodified"] = lifespan::rfc3339(lastmodified);
  if (ended() || !loaded_) {
    arm();
    return;
  }
  const auto expiry = expires();
  std::optional<std::chrono::nanoseconds> time;
  if (expiry) time = *expiry - lifespan::Clock::now();
  if (auto status = loaded_->enable(parts_.stencils, time, spec_.lifespan.hits); !status) {
    fail(status.error());
    return;
  }
  schedule_end();
  publish();
}

void Probe::end(State as, std::string why, std::function<void()> gone) {
  const auto self = shared_from_this();
  parts_.agenda.cancel(end_ticket_);
  end_ticket_ = 0;
  if (loaded_) {
    if (auto status = loaded_->disable(); !status) parts_.log.error(status.error().text());
    parts_.drain();
    last_ledger_ = ledger();
    parts_.registry.retire(spec_.id);
  }
  state_ = as;
  if (!why.empty()) notes_.push_back(why);
  if (loaded_) parts_.log.info("probe `" + spec_.id + "` " + text(as) + (why.empty() ? "" : ": " + why));
  std::vector<Grip> grips = std::exchange(grips_, {});
  // The programs go behind the links: the closure keeps them until then.
  let_go(std::move(grips), [loaded = std::exchange(loaded_, nullptr), gone = std::move(gone)] {
    if (gone) gone();
  });
  publish();
}

void Probe::let_go(std::vector<Grip> grips, std::function<void()> gone) {
  std::vector<Fd> links;
  auto held = std::make_shared<std::vector<Grip>>(std::move(grips));
  for (Grip& grip : *held) {
    grip.watch = {};
    for (Fd& link : grip.attachment.links) links.push_back(std::move(link));
  }
  parts_.detacher.detach(std::move(links), [&loop = parts_.loop, held, gone = std::move(gone)]() mutable {
    loop.post([held = std::move(held), gone = std::move(gone)] {
      held->clear();  // leases and watches end on the loop's thread
      if (gone) gone();
    });
  });
}

void Probe::fail(Error error) {
  ++error_counts_["attach"];
  if (errors_.size() < errors_kept) errors_.push_back(std::move(error));
  end(State::failed, "");
}

void Probe::note_error(const target::Process& process, const Error& error) {
  ++error_counts_["process"];
  applied_[process_key(process)] = error.text();
  if (errors_.size() < errors_kept) errors_.push_back(error);
}

void Probe::settle_state() {
  if (ended()) return;
  const bool some_failed = !errors_.empty();
  if (grips_.empty()) {
    state_ = some_failed && !follows_processes() ? State::failed : State::pending;
  } else {
    state_ = some_failed ? State::partial : State::armed;
  }
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

std::optional<std::int64_t> Probe::hits_left() const {
  if (!spec_.lifespan.hits || !loaded_) return std::nullopt;
  const auto now = loaded_->read_control();
  if (!now) return std::nullopt;
  return now->ends_left;
}

double Probe::price_ns() const {
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

void Probe::publish() {
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

}  // namespace diagnose::app
