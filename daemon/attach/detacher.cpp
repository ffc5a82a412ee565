#include "attach/detacher.h"

#include <system_error>
#include <thread>
#include <utility>

namespace diagnose::attach {
namespace {

// They wait for the kernel side by side and use no CPU; a grace period serves all that wait for it.
constexpr std::size_t threads_most = 64;

}  // namespace

struct Detacher::Batch {
  explicit Batch(std::function<void()> then) : done(std::move(then)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    if (done) done();
  }
  std::function<void()> done;
};

Detacher::Detacher() = default;

Detacher::~Detacher() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return threads_ == 0; });
}

void Detacher::detach(std::vector<Fd> links, std::function<void()> done) {
  auto batch = std::make_shared<Batch>(std::move(done));
  const std::lock_guard lock(mutex_);
  for (Fd& link : links) jobs_.push_back({.link = std::move(link), .batch = batch});
  while (threads_ < threads_most && threads_ < jobs_.size()) {
    try {
      std::thread([this] { work(); }).detach();
    } catch (const std::system_error&) {
      break;  // no more threads to be had: those that run take the rest
    }
    ++threads_;
  }
  if (threads_ > 0) return;
  jobs_.clear();  // not even one thread: here and now, however long it takes
}

void Detacher::work() {
  std::unique_lock lock(mutex_);
  while (!jobs_.empty()) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.link.reset();
    job.batch.reset();
    lock.lock();
  }
  --threads_;
  idle_.notify_all();
}

}  // namespace diagnose::attach
