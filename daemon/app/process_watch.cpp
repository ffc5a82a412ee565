#include "app/process_watch.h"

#include <algorithm>
#include <utility>

#include "bpf/contract.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

// A burst of forks is one look at /proc.
constexpr auto settle_time = 10ms;
// Records may be lost to a full ring.
constexpr auto poll_time = 60s;

}  // namespace

void ProcessWatch::settle() {
  const bool wanted = roster_.follows_processes();
  if (wanted == following_) return;
  following_ = wanted;
  if (auto status = parts_.stencils.follow_processes(wanted); !status) parts_.log.warning(status.error().text());
  parts_.agenda.cancel(poll_);
  poll_ = 0;
  if (wanted) poll();
}

void ProcessWatch::poll() {
  poll_ = parts_.agenda.after(poll_time, [this] {
    look_at_all();
    poll();
  });
}

void ProcessWatch::started(const drain::RawRecord& raw) {
  const auto pid = static_cast<pid_t>(raw.tgid);
  if (raw.kind == RECORD_EXEC) {
    executed_.insert(pid);
  } else {
    const auto probes = roster_.all();
    const bool ours =
        std::any_of(probes.begin(), probes.end(), [&](const auto& probe) { return probe->watches_children_of(pid); });
    if (!ours) return;
    forked_ = true;
  }
  if (soon_ != 0) return;
  soon_ = parts_.agenda.after(settle_time, [this] {
    soon_ = 0;
    if (std::exchange(forked_, false)) {
      executed_.clear();
      look_at_all();
      return;
    }
    for (const pid_t one : std::exchange(executed_, {})) look_at(one);
  });
}

void ProcessWatch::look_at(pid_t pid) {
  const auto process = parts_.proc.process(pid);
  if (!process) return;  // a short-lived one
  for (const auto& probe : roster_.all()) probe->consider(*process);
}

void ProcessWatch::look_at_all() {
  for (const target::Process& process : parts_.proc.list()) {
    for (const auto& probe : roster_.all()) probe->consider(process);
  }
}

}  // namespace diagnose::app
