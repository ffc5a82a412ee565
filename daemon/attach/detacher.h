// Closing a link waits for RCU: tens of milliseconds here, up to half a second on some kernels.  So it happens on
// threads of its own, links in parallel.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"

namespace diagnose::attach {

// Thread-safe.  Threads are started as links come and end when none are left, so an idle daemon has none.
class Detacher {
 public:
  Detacher();
  ~Detacher();  // waits until everything given is closed
  Detacher(const Detacher&) = delete;
  Detacher& operator=(const Detacher&) = delete;

  // Closes `links`; `done` is called on one of the threads when the kernel has let go of all of them, or here at once
  // if there are none.
  void detach(std::vector<Fd> links, std::function<void()> done);

 private:
  // One call's links; the last reference to go calls `done`.
  struct Batch;
  struct Job {
    Fd link;
    std::shared_ptr<Batch> batch;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<Job> jobs_;
  std::size_t threads_ = 0;
};

}  // namespace diagnose::attach
