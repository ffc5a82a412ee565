#include "app/agenda.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace diagnose::app {

Result<std::unique_ptr<Agenda>> Agenda::create(loop::Loop& loop) {
  std::unique_ptr<Agenda> made(new Agenda());
  auto timer = loop.on_timer([agenda = made.get()] { agenda->work(); });
  if (!timer) return tl::unexpected(timer.error());
  made->timer_ = std::move(*timer);
  return made;
}

Agenda::Ticket Agenda::after(Clock::duration delay, std::function<void()> job) {
  entries_.emplace(Clock::now() + std::max(delay, Clock::duration::zero()), Entry{++last_, std::move(job)});
  rearm();
  return last_;
}

void Agenda::cancel(Ticket ticket) {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& known) { return known.second.ticket == ticket; });
  if (entry == entries_.end()) return;
  entries_.erase(entry);
  rearm();
}

void Agenda::work() {
  // Jobs may make appointments of their own; those that are due then come in the next turn.
  const auto now = Clock::now();
  std::vector<std::function<void()>> due;
  while (!entries_.empty() && entries_.begin()->first <= now) {
    due.push_back(std::move(entries_.begin()->second.job));
    entries_.erase(entries_.begin());
  }
  for (auto& job : due) job();
  rearm();
}

void Agenda::rearm() {
  if (entries_.empty()) {
    timer_.disarm();
    return;
  }
  timer_.arm(std::max<Clock::duration>(entries_.begin()->first - Clock::now(), std::chrono::nanoseconds(1)));
}

}  // namespace diagnose::app
