#include "app/process_watch.h"

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
  if (wanted != following_) {
    following_ = wanted;
    if (auto status = parts_.stencils.follow_processes(wanted); !status) parts_.log.warning(status.error().text());
    parts_.agenda.cancel(poll_);
    poll_ = 0;
    if (wanted) poll();
  }
  settle_parents();
}

void ProcessWatch::settle_parents() {
  std::set<pid_t> wanted;
  for (const auto& probe : roster_.all()) probe->add_parents(wanted);
  if (wanted == parents_) return;
  for (const pid_t pid : parents_) {
    if (!wanted.contains(pid)) watch_children(pid, false);
  }
  bool more = false;
  for (const pid_t pid : wanted) {
    if (parents_.contains(pid)) continue;
    watch_children(pid, true);
    more = true;
  }
  parents_ = std::move(wanted);
  if (!more) return;
  // Children that were made before the kernel knew that we want to hear of them.
  look_at_all_ = true;
  look_soon();
}

void ProcessWatch::watch_children(pid_t pid, bool watched) {
  auto status = parts_.stencils.watch_children(pid, watched);
  if (status) return;
  parts_.log.warning(status.error().text());
  constexpr pid_t everyone = 0;
  status = parts_.stencils.watch_children(everyone, true);
  if (!status) parts_.log.error(status.error().text());
}

void ProcessWatch::poll() {
  poll_ = parts_.agenda.after(poll_time, [this] {
    look_at_all();
    poll();
  });
}

void ProcessWatch::started(const drain::RawRecord& raw) {
  started_.insert(static_cast<pid_t>(raw.kind == RECORD_FORK ? raw.tid : raw.tgid));
  look_soon();
}

void ProcessWatch::look_soon() {
  if (soon_ != 0) return;
  soon_ = parts_.agenda.after(settle_time, [this] {
    soon_ = 0;
    const std::set<pid_t> started = std::exchange(started_, {});
    if (std::exchange(look_at_all_, false)) {
      look_at_all();
      return;
    }
    for (const pid_t one : started) look_at(one);
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
