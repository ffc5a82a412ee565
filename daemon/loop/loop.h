// The event loop: one thread, over sd-event.  Handles end what they started when they are destroyed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/result.h"

namespace diagnose::loop {

// A registered source; destroying it unregisters.  Movable.  Must not outlive its loop.
class Source {
 public:
  struct Impl;
  Source();
  explicit Source(std::unique_ptr<Impl> impl);
  Source(Source&&) noexcept;
  Source& operator=(Source&&) noexcept;
  ~Source();
  [[nodiscard]] explicit operator bool() const { return impl_ != nullptr; }
  // Of an fd source: the epoll events to wait for; 0 pauses it, hang-ups included.
  void watch(std::uint32_t events);
  // Of a timer: fires once, `delay` from now.
  void arm(std::chrono::nanoseconds delay);
  void disarm();

 private:
  std::unique_ptr<Impl> impl_;
};

// Loop thread only, but for post().
class Loop {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Loop>> create();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Callbacks may destroy their own source.
  [[nodiscard]] Result<Source> on_fd(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready);
  [[nodiscard]] Result<Source> on_timer(std::function<void()> fired);  // created disarmed
  // The signal must be blocked in every thread (main does so before any thread starts).
  [[nodiscard]] Result<Source> on_signal(int signal, std::function<void(const signalfd_siginfo&)> caught);

  // From any thread: runs `job` on the loop's thread, soon, in order.
  void post(std::function<void()> job);

  // Returns after stop(), with its exit status.
  [[nodiscard]] int run();
  void stop(int status);

 private:
  struct Impl;
  explicit Loop(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace diagnose::loop
