#include "target/debuginfod.h"

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstdio>
#include <dlfcn.h>
#include <elfutils/debuginfod.h>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace diagnose::target {
namespace {

struct Close {
  void operator()(void* library) const { ::dlclose(library); }
};

// libdebuginfod, loaded only where it is used: it brings curl with it.
class Library {
 public:
  Library() : handle_(::dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL)) {}

  template <typename F>
  F* function(const char* name) const {
    return handle_ ? reinterpret_cast<F*>(::dlsym(handle_.get(), name)) : nullptr;
  }

 private:
  std::unique_ptr<void, Close> handle_;
};

}  // namespace

Debuginfod::Debuginfod(std::string servers, std::vector<std::string> command)
    : servers_(std::move(servers)), command_(std::move(command)) {}

Debuginfod::~Debuginfod() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

Debuginfod::Answer Debuginfod::answer(const std::string& build_id) {
  const auto at = files_.find(build_id);
  if (at == files_.end()) return {};
  Answer answer{.state = at->second.state, .file = {}, .path = at->second.path};
  if (answer.state == State::found) {
    answer.file = Fd(::open(answer.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!answer.file) answer.state = State::unknown;  // the cache was cleaned
  }
  const bool stale = answer.state == State::absent && Clock::now() - at->second.since > limits::debuginfod_absent;
  if (stale) answer.state = State::unknown;
  if (answer.state == State::unknown) files_.erase(at);
  return answer;
}

Debuginfod::Answer Debuginfod::known(const std::string& build_id) {
  const std::lock_guard lock(mutex_);
  return answer(build_id);
}

Debuginfod::Answer Debuginfod::find(const std::string& build_id, std::chrono::milliseconds patience) {
  if (servers_.empty() || build_id.empty()) return {};
  std::unique_lock lock(mutex_);
  Answer now = answer(build_id);
  if (now.state != State::unknown) return now;
  if (queue_.size() >= limits::debuginfod_queue) return {.state = State::fetching, .file = {}, .path = {}};
  if (files_.size() >= limits::debuginfod_remembered) {
    std::erase_if(files_, [](const auto& one) { return one.second.state != State::fetching; });
  }
  const bool busy =
      std::any_of(files_.begin(), files_.end(), [](const auto& one) { return one.second.state == State::fetching; });
  files_[build_id] = {.state = State::fetching, .path = {}, .since = Clock::now()};
  queue_.push_back(build_id);
  if (!worker_.joinable()) worker_ = std::thread([this] { work(); });
  changed_.notify_all();
  // It is waited for once, and not behind another: a server that says nothing must not cost a second for each file.
  if (busy) return answer(build_id);
  changed_.wait_for(lock, patience, [&] {
    const auto at = files_.find(build_id);
    return at == files_.end() || at->second.state != State::fetching;
  });
  return answer(build_id);
}

void Debuginfod::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (ending_) return;
    const std::string build_id = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    std::string path = fetch(build_id);
    lock.lock();
    File& file = files_[build_id];
    file.state = path.empty() ? State::absent : State::found;
    file.path = std::move(path);
    file.since = Clock::now();
    changed_.notify_all();
    if (!settled_ || ending_) continue;
    lock.unlock();
    settled_();
    lock.lock();
  }
}

// In a process of its own: before a server has said something libdebuginfod cannot be told to give up (elfutils 0.192).
// The path in the cache; empty: not to be had.
std::string Debuginfod::fetch(const std::string& build_id) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  std::vector<std::string> words = command_;
  words.push_back(build_id);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {};
  theirs.reset();
  const auto deadline = Clock::now() + limits::debuginfod_wait;
  const auto given_up = [&] {
    const std::lock_guard lock(mutex_);
    return ending_ || Clock::now() > deadline;
  };
  std::string path;
  constexpr int look_ms = 50;
  for (;;) {
    pollfd end{.fd = ours.get(), .events = POLLIN, .revents = 0};
    if (::poll(&end, 1, look_ms) > 0) {
      std::array<char, PATH_MAX> bytes{};
      const ssize_t got = ::read(ours.get(), bytes.data(), bytes.size());
      if (got <= 0) break;
      path.append(bytes.data(), static_cast<std::size_t>(got));
    }
    if (!given_up() && path.size() <= PATH_MAX) continue;
    ::kill(pid, SIGKILL);
    path.clear();
    break;
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0 ? path : "";
}

int print_debug_file(const char* build_id) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const Library library;
  const auto begin = library.function<decltype(::debuginfod_begin)>("debuginfod_begin");
  const auto find = library.function<decltype(::debuginfod_find_debuginfo)>("debuginfod_find_debuginfo");
  debuginfod_client* client = begin != nullptr && find != nullptr ? begin() : nullptr;
  if (client == nullptr) return 1;
  char* found = nullptr;
  // 0: the build id is text.
  const Fd file(find(client, reinterpret_cast<const unsigned char*>(build_id), 0, &found));
  if (!file || found == nullptr) return 1;
  return std::fputs(found, stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace diagnose::target
