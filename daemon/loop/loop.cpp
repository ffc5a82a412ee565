#include "loop/loop.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace diagnose::loop {

namespace {

// A timer may be late by this much, so that the kernel can let timers share a wake-up.
constexpr std::uint64_t timer_accuracy_us = 1000;

Error sd_error(std::string what, int negative_errno) {
  return Error{.what = std::move(what), .where = {}, .why = errno_text(-negative_errno), .mend = {}};
}

// The boot-time clock counts suspended time: a lifespan that ran out while the host slept ends when it wakes.
std::uint64_t boottime_us() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
}

}  // namespace

struct Source::Impl {
  // A callback may destroy its own source: dispatch keeps these alive while they run.  Exactly one is set.
  std::shared_ptr<std::function<void(std::uint32_t)>> ready;
  std::shared_ptr<std::function<void()>> fired;
  std::shared_ptr<std::function<void(const signalfd_siginfo&)>> caught;
  sd_event_source* source = nullptr;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { sd_event_source_disable_unref(source); }

  static int on_io(sd_event_source* /*source*/, int /*fd*/, std::uint32_t events, void* self) {
    const auto ready = static_cast<Impl*>(self)->ready;
    (*ready)(events);
    return 0;
  }
  static int on_time(sd_event_source* /*source*/, std::uint64_t /*due_us*/, void* self) {
    const auto fired = static_cast<Impl*>(self)->fired;
    (*fired)();
    return 0;
  }
  static int on_signal(sd_event_source* /*source*/, const signalfd_siginfo* siginfo, void* self) {
    const auto caught = static_cast<Impl*>(self)->caught;
    (*caught)(*siginfo);
    return 0;
  }
};

Source::Source() = default;
Source::Source(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Source::Source(Source&&) noexcept = default;
Source& Source::operator=(Source&&) noexcept = default;
Source::~Source() = default;

// Setting the state of a source that exists fails only after a fork, which the daemon does not survive as a loop: the
// results below are ignored for that reason.

void Source::watch(std::uint32_t events) {
  if (!impl_ || !impl_->ready) return;
  if (events != 0) sd_event_source_set_io_events(impl_->source, events);
  // With an empty set of events epoll would go on reporting hang-ups.
  sd_event_source_set_enabled(impl_->source, events != 0 ? SD_EVENT_ON : SD_EVENT_OFF);
}

void Source::arm(std::chrono::nanoseconds delay) {
  if (!impl_ || !impl_->fired) return;
  const auto whole = std::chrono::ceil<std::chrono::microseconds>(std::max(delay, std::chrono::nanoseconds::zero()));
  sd_event_source_set_time(impl_->source, boottime_us() + static_cast<std::uint64_t>(whole.count()));
  sd_event_source_set_enabled(impl_->source, SD_EVENT_ONESHOT);
}

void Source::disarm() {
  if (impl_ && impl_->fired) sd_event_source_set_enabled(impl_->source, SD_EVENT_OFF);
}

struct Loop::Impl {
  sd_event* event = nullptr;
  Fd posted;    // eventfd: readable while `jobs` has something
  Source wake;  // dies before `posted` and, see the destructor, before `event`
  std::mutex mutex;
  std::vector<std::function<void()>> jobs;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    wake = Source();
    sd_event_unref(event);
  }

  void run_jobs() {
    eventfd_t count = 0;
    eventfd_read(posted.get(), &count);  // nonblocking; EAGAIN is a wake-up for jobs already taken
    std::vector<std::function<void()>> taken;
    {
      const std::lock_guard lock(mutex);
      taken.swap(jobs);
    }
    for (auto& job : taken) job();
  }
};

Loop::Loop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Loop::~Loop() = default;

Result<std::unique_ptr<Loop>> Loop::create() {
  auto impl = std::make_unique<Impl>();
  if (const int status = sd_event_new(&impl->event); status < 0) {
    return failure(sd_error("create the event loop", status));
  }
  impl->posted = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->posted) return failure(sd_error("create the event loop's eventfd", -errno));
  std::unique_ptr<Loop> loop(new Loop(std::move(impl)));
  Impl& made = *loop->impl_;
  auto wake = loop->on_fd(made.posted.get(), EPOLLIN, [&made](std::uint32_t) { made.run_jobs(); });
  if (!wake) return failure(std::move(wake.error()));
  made.wake = std::move(*wake);
  return loop;
}

Result<Source> Loop::on_fd(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready) {
  auto impl = std::make_unique<Source::Impl>();
  impl->ready = std::make_shared<std::function<void(std::uint32_t)>>(std::move(ready));
  const int status = sd_event_add_io(impl_->event, &impl->source, fd, events, Source::Impl::on_io, impl.get());
  if (status < 0) return failure(sd_error("watch file descriptor " + std::to_string(fd), status));
  Source source(std::move(impl));
  if (events == 0) source.watch(0);
  return source;
}

Result<Source> Loop::on_timer(std::function<void()> fired) {
  auto impl = std::make_unique<Source::Impl>();
  impl->fired = std::make_shared<std::function<void()>>(std::move(fired));
  const int status = sd_event_add_time(impl_->event, &impl->source, CLOCK_BOOTTIME, 0, timer_accuracy_us,
                                       Source::Impl::on_time, impl.get());
  if (status < 0) return failure(sd_error("create a timer", status));
  Source source(std::move(impl));
  source.disarm();
  return source;
}

Result<Source> Loop::on_signal(int signal, std::function<void(const signalfd_siginfo&)> caught) {
  auto impl = std::make_unique<Source::Impl>();
  impl->caught = std::make_shared<std::function<void(const signalfd_siginfo&)>>(std::move(caught));
  const int status = sd_event_add_signal(impl_->event, &impl->source, signal, Source::Impl::on_signal, impl.get());
  if (status == -EBUSY) {
    return failure(Error{.what = "wait for signal " + std::to_string(signal),
                         .where = {},
                         .why = "it is not blocked in this thread, or another source waits for it",
                         .mend = "block it before any thread starts, and wait for it once"});
  }
  if (status < 0) return failure(sd_error("wait for signal " + std::to_string(signal), status));
  return Source(std::move(impl));
}

void Loop::post(std::function<void()> job) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->jobs.push_back(std::move(job));
  }
  eventfd_write(impl_->posted.get(), 1);  // fails only when 2^64 - 2 wake-ups are pending: awake enough
}

int Loop::run() {
  const int status = sd_event_loop(impl_->event);
  return status < 0 ? EXIT_FAILURE : status;
}

void Loop::stop(int status) {
  sd_event_exit(impl_->event, status);  // fails only when the loop has already ended
}

}  // namespace diagnose::loop
