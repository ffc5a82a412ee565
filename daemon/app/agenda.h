// What is to be done when: many appointments over one timer, so that an idle daemon sleeps until the next one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "loop/loop.h"

namespace diagnose::app {

// Loop thread only.
class Agenda {
 public:
  using Clock = BootClock;
  using Ticket = std::uint64_t;  // 0 is none

  [[nodiscard]] static Result<std::unique_ptr<Agenda>> create(loop::Loop& loop);

  Ticket after(Clock::duration delay, std::function<void()> job);
  // Nothing happens if it is done or unknown.
  void cancel(Ticket ticket);

 private:
  struct Entry {
    Ticket ticket = 0;
    std::function<void()> job;
  };
  Agenda() = default;
  void work();
  void rearm();

  loop::Source timer_;
  std::multimap<Clock::time_point, Entry> entries_;
  Ticket last_ = 0;
};

}  // namespace diagnose::app
