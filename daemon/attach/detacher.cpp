#include "attach/detacher.h"

#include <utility>

namespace diagnose::attach {

struct Detacher::Batch {
  explicit Batch(std::function<void()> then) : done(std::move(then)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    if (done) done();
  }
  std::function<void()> done;
};

Detacher::Detacher(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Detacher::~Detacher() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Detacher::detach(std::vector<Fd> links, std::function<void()> done) {
  auto batch = std::make_shared<Batch>(std::move(done));
  {
    const std::lock_guard lock(mutex_);
    for (Fd& link : links) jobs_.push_back({.link = std::move(link), .batch = batch});
  }
  wake_.notify_all();
}

void Detacher::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.link.reset();
    job.batch.reset();
    lock.lock();
  }
}

}  // namespace diagnose::attach
