// Probe: processes that come and go, and files that are written to.
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "app/probe.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

// A library is mapped some time after the exec that a process is noticed by.
constexpr std::array<std::chrono::milliseconds, 6> second_looks = {10ms, 25ms, 50ms, 150ms, 500ms, 1500ms};
// Between looks whether a file that was written to is at rest again.
constexpr auto rewritten_poll = 1s;

}  // namespace

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
  forget_runtime(pid);
  if (spec_.target.by == spec::TargetBy::pid && grips_.empty() && !ended()) {
    end(State::expired, "its process has ended");
    if (ended_) ended_(*this);
    return;
  }
  settle_state();
  publish();
}

bool Probe::follows_processes() const {
  if (ended()) return false;
  switch (spec_.target.by) {
    case spec::TargetBy::pid:
      return false;
    case spec::TargetBy::exe:
    case spec::TargetBy::comm:
      return true;
    case spec::TargetBy::all:
      break;
  }
  // A library that is probed whole needs nobody to look out for its processes.
  return grips_.empty() || std::any_of(grips_.begin(), grips_.end(),
                                       [](const Grip& grip) { return grip.attachment.process.has_value(); });
}

void Probe::add_parents(std::set<pid_t>& parents) const {
  if (!follows_processes()) return;
  for (const Grip& grip : grips_) {
    if (grip.attachment.process) parents.insert(*grip.attachment.process);
  }
}

void Probe::consider(const target::Process& process) {
  if (follows_processes() && target::matches(spec_.target, process)) look_at(process, 0);
}

void Probe::look_at(target::Process process, std::size_t attempt) {
  if (ended() || !parts_.proc.alive(process)) return;
  const state::Mark dangerous = mark();
  const auto resolution = resolve(&process);
  std::vector<Error> errors;
  bool found = false;
  if (!resolution) {
    errors.push_back(resolution.error());
  } else if (auto status = prepare(*resolution); !status) {
    errors.push_back(status.error());
  } else {
    for (const auto& [which, error] : resolution->errors) errors.push_back(error);
    for (const target::Module& module : resolution->modules) {
      const std::vector<Error> refused = attach_module(module);
      errors.insert(errors.end(), refused.begin(), refused.end());
      found = found || refused.empty();
      join(module, process);
    }
  }
  if (!found && attempt < second_looks.size()) {
    parts_.agenda.after(second_looks[attempt], [weak = weak_from_this(), process, attempt] {
      if (const auto self = weak.lock()) self->look_at(process, attempt + 1);
    });
    return;
  }
  if (found) {
    applied_[process_key(process)] = "";
  } else if (!errors.empty() && spec_.target.by != spec::TargetBy::all) {
    note_error(process, errors.front());
  }
  settle_state();
  publish();
}

// The process maps a file that is probed whole.
void Probe::join(const target::Module& module, const target::Process& process) {
  for (Grip& grip : grips_) {
    if (grip.attachment.process || grip.attachment.inode != module.inode || grip.attachment.device != module.device) {
      continue;
    }
    const bool known = std::find(grip.processes.begin(), grip.processes.end(), process) != grip.processes.end();
    if (known) continue;
    grip.processes.push_back(process);
    std::vector<std::string> notes;
    callers_.find(grip.module, grip.returns, process, true, notes);
    for (const std::string& note : notes) add_note(note);
    watch_unwinding(process);
  }
}

// ---- files that are written to ----

bool Probe::yield_lease(int fd) {
  const auto grip = std::find_if(grips_.begin(), grips_.end(), [&](const Grip& known) {
    return known.lease && (fd < 0 ? known.lease->wanted_back() : known.lease->fd() == fd);
  });
  if (grip == grips_.end()) return false;
  add_error({.what = "keep `" + spec_.id + "` attached",
             .where = grip->module.path,
             .why = "somebody writes to the file",
             .mend = "it is attached again when that is done; calls in between are not seen"});
  ++error_counts_["lease"];
  std::vector<Grip> given;
  given.push_back(std::move(*grip));
  grips_.erase(grip);
  auto callers = callers_.file_gone(given.front().module.device, given.front().module.inode);
  let_go(std::move(given), {}, std::move(callers));  // the lease goes with the grip, when the links are gone
  settle_state();
  publish();
  schedule_retry();
  return true;
}

void Probe::schedule_retry() {
  parts_.agenda.cancel(retry_ticket_);
  retry_ticket_ = parts_.agenda.after(rewritten_poll, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->attach_again();
  });
}

void Probe::attach_again() {
  retry_ticket_ = 0;
  if (ended()) return;
  const state::Mark dangerous = mark();
  const auto resolution = resolve(nullptr);
  bool whole = false;
  if (resolution) {
    for (const target::Module& module : resolution->modules) {
      if (grip_on(module, std::nullopt) != nullptr) {  // a process that started meanwhile has brought it back
        whole = true;
        continue;
      }
      // Only whole again: while the writer is at it there is no lease to be had.
      auto lease = attach::Lease::take(*module.file);
      if (lease) whole = hold(module, std::nullopt, std::move(*lease)).has_value() || whole;
    }
  }
  if (!whole) {
    schedule_retry();
    return;
  }
  errors_.clear();
  settle_state();
  publish();
}

}  // namespace diagnose::app
