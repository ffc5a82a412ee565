// Probe: from one daemon to the next.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "app/probe.h"
#include "bpf/contract.h"

namespace diagnose::app {
namespace {

bool is_process(const HandedProcess& left, const target::Process& process) {
  return left.pid == process.pid && left.start_ticks == process.start_ticks;
}

FileKey key_of(const target::Module& module) {
  return {module.device, module.inode};
}

HandedGrip left_of(const Grip& grip, Outgoing& outgoing) {
  HandedGrip left{.file = key_of(grip.module),
                  .every_process = !grip.attachment.process,
                  .processes = {},
                  .digest = digest_of(grip.module),
                  .returns = grip.returns,
                  .covered = grip.covered,
                  .links = outgoing.add(grip.attachment.links),
                  .learning = outgoing.add(grip.attachment.learning),
                  .lease = grip.lease ? outgoing.add(grip.lease->fd()) : ""};
  for (const target::Process& process : grip.processes) {
    left.processes.push_back({.pid = process.pid, .start_ticks = process.start_ticks});
  }
  return left;
}

}  // namespace

// ---- leaving ----

std::optional<HandedProbe> Probe::leave(Outgoing& outgoing) {
  settle_callers();
  if (ended() || !loaded_) return std::nullopt;
  count_cost();
  HandedProbe left;
  left.id = spec_.id;
  left.number = number_;
  left.written = spec_.written;
  left.lifespan = lifespan::text(spec_.lifespan);
  left.lastmodified = lifespan::rfc3339(spec_.lastmodified);
  left.returns = returns_;
  left.shape = shape_of_maps(plan_, forms_.all);
  const auto handles = loaded_->leave();
  for (const int map : handles.maps) left.maps.push_back(outgoing.add(map));
  for (const int program : handles.programs) left.programs.push_back(outgoing.add(program));
  left.sites = handles.sites;
  left.admitted = handles.admitted;
  left.thread_end = outgoing.add(thread_end_);
  for (const auto& [pid, links] : unwinding_) left.unwinding[pid] = outgoing.add(links);
  for (const Grip& grip : grips_) left.grips.push_back(left_of(grip, outgoing));
  left.callers = callers_.leave(outgoing);
  left.handed_over = handed_over_;
  for (const auto& folding : foldings_) left.foldings.push_back(folding ? handed(folding->read()) : HandedFolding{});
  left.hits = hits();
  left.seconds = spending_.seconds();
  left.errors = error_counts_;
  left.slow_follower = slow_follower_;
  return left;
}

// ---- taking over ----

void Probe::drop_bequest(const std::string& why) {
  if (!bequest_) return;
  if (!why.empty()) {
    add_note("not taken over from the daemon before, counts start at zero: " + why);
    parts_.log.warning("probe `" + spec_.id +
                       "` is not taken over from the daemon before, its counts start at zero: " + why);
  }
  parts_.detacher.detach(bequest_->descriptors.rest(), [] {});
  bequest_.reset();
}

// Whole or not at all: a file that is probed elsewhere now would be counted twice, or wrongly.
void Probe::compare_bequest(const target::Resolution& resolution) {
  if (!bequest_) return;
  for (const target::Module& module : resolution.modules) {
    for (const HandedGrip& left : bequest_->probe.grips) {
      if (left.file != key_of(module)) continue;
      const bool returns_fit = !wants_return_ || left.returns.size() == module.functions.size();
      if (left.digest == digest_of(module) && returns_fit) continue;
      return drop_bequest("other places of " + module.path + " are to be probed");
    }
  }
}

bool Probe::take_over_programs() {
  if (!bequest_) return false;
  const HandedProbe& left = bequest_->probe;
  if (left.shape != shape_of_maps(plan_, forms_.all) || left.programs.size() != compile::program_roles) {
    drop_bequest("this version keeps its counts in another form");
    return false;
  }
  attach::LoadedProbe::Handles<Fd> handles;
  handles.maps = bequest_->descriptors.take(left.maps);
  for (std::size_t role = 0; role < compile::program_roles; ++role) {
    handles.programs[role] = bequest_->descriptors.take(left.programs[role]);
  }
  handles.sites = left.sites;
  handles.admitted = left.admitted;
  auto loaded = attach::LoadedProbe::take_over(plan_, parts_.stencils, std::move(handles));
  if (!loaded) {
    drop_bequest(loaded.error().why);
    return false;
  }
  loaded_ = std::move(*loaded);
  number_ = left.number;
  return true;
}

void Probe::take_over_rest() {
  const HandedProbe& left = bequest_->probe;
  callers_.take_over(left.callers, bequest_->descriptors);
  handed_over_ = left.handed_over;
  thread_end_ = bequest_->descriptors.take(left.thread_end);
  for (const auto& [pid, links] : left.unwinding) unwinding_[pid] = bequest_->descriptors.take(links);
  spending_.resume(left.hits, left.seconds);
  error_counts_ = left.errors;
  slow_follower_ = left.slow_follower;
  // At once: another process may have the pid of one that has gone meanwhile.
  for (const HandedGrip& grip : left.grips) {
    for (const HandedProcess& process : grip.processes) {
      const auto now = parts_.proc.process(process.pid);
      if (!now || !is_process(process, *now)) forget_runtime(process.pid);
    }
  }
}

void Probe::take_over_foldings() {
  if (!taken_over_ || !bequest_) return;
  const auto& left = bequest_->probe.foldings;
  for (std::size_t at = 0; at < std::min(left.size(), foldings_.size()); ++at) {
    if (foldings_[at]) foldings_[at]->resume(reading_of(left[at]));
  }
}

// The grip that was left on the file, in one process or in all.  False: there is none.
bool Probe::take_back(const target::Module& module, const std::optional<target::Process>& process) {
  if (!bequest_ || !taken_over_) return false;
  auto& grips = bequest_->probe.grips;
  const auto left = std::find_if(grips.begin(), grips.end(), [&](const HandedGrip& grip) {
    if (grip.file != key_of(module) || grip.every_process == process.has_value()) return false;
    return !process || (!grip.processes.empty() && is_process(grip.processes.front(), *process));
  });
  if (left == grips.end()) return false;
  auto made = restored(*left, module, process);
  grips.erase(left);
  if (!made) return false;
  for (const target::Process& one : made->processes) applied_[process_key(one)] = "";
  grips_.push_back(std::move(*made));
  if (process) {
    watch(grips_.back());
  } else {
    for (const target::Process& one : module.processes) join(module, one);  // those that have come meanwhile
  }
  return true;
}

std::optional<Grip> Probe::restored(const HandedGrip& left, const target::Module& module,
                                    const std::optional<target::Process>& process) {
  Grip made;
  if (process) {
    made.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, process->pid, 0)));
    if (!made.pidfd || !parts_.proc.alive(*process)) return std::nullopt;
    made.processes = {*process};
  } else {
    for (const target::Process& one : module.processes) {
      const bool known = std::any_of(left.processes.begin(), left.processes.end(),
                                     [&](const HandedProcess& before) { return is_process(before, one); });
      if (known) made.processes.push_back(one);
    }
  }
  if (!left.lease.empty()) {
    auto lease = attach::Lease::take_over(bequest_->descriptors.take(left.lease));
    if (!lease) {
      add_error(lease.error());
      return std::nullopt;
    }
    made.lease = std::move(*lease);
  }
  made.module = module;
  made.returns = left.returns;
  made.covered = left.covered;
  made.attachment.device = module.device;
  made.attachment.inode = module.inode;
  if (process) made.attachment.process = process->pid;
  made.attachment.file = module.file;
  made.attachment.links = bequest_->descriptors.take(left.links);
  made.attachment.learning = bequest_->descriptors.take(left.learning);
  return made;
}

bool Probe::left_one_by_one(const target::Module& module) const {
  if (!bequest_ || !taken_over_) return false;
  return std::any_of(bequest_->probe.grips.begin(), bequest_->probe.grips.end(),
                     [&](const HandedGrip& grip) { return grip.file == key_of(module) && !grip.every_process; });
}

// The programs have their end already, and what is left of their hits.
bool Probe::keeps_end() const {
  return taken_over_ && bequest_ && bequest_->probe.lifespan == lifespan::text(spec_.lifespan) &&
         bequest_->probe.lastmodified == lifespan::rfc3339(spec_.lastmodified);
}

// Nothing can be attached any more, but its last numbers are there to be read.
bool Probe::take_over_ended(const std::string& why) {
  if (!bequest_ || !compiled_) return false;
  const bool loaded = load(bequest_->probe.returns).has_value();
  if (loaded && taken_over_) {
    enabled_ = true;
    end(State::expired, why);
    return true;
  }
  if (loaded_) parts_.detacher.detach(runtime_links(), [] {});
  parts_.registry.drop(series_key());
  loaded_ = nullptr;
  return false;
}

// What is left has nothing to hold on to: processes and files that have gone.
void Probe::settle_bequest() {
  if (!bequest_) return;
  drop_bequest(taken_over_ ? "" : "nothing runs that it could measure");
  schedule_hand_over();
  // Once every probe is there: what follows reads the ring, which has records of all of them.
  parts_.loop.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->ended()) return;
    const bool half_way =
        self->handed_over_ && std::any_of(self->grips_.begin(), self->grips_.end(),
                                          [](const Grip& grip) { return !grip.attachment.learning.empty(); });
    if (half_way) self->let_exits_go();
    // A writer that came while no daemon was there is still waiting.
    while (self->yield_lease(-1)) {
    }
  });
}

}  // namespace diagnose::app
