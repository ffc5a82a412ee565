// Debug files from servers, by build id (debuginfod(8)).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/limits.h"

namespace diagnose::target {

// Fetches in a thread and a process of its own, one file after the other, each within limits::debuginfod_wait; nobody
// waits longer than they say.  What was fetched stays in the cache of libdebuginfod (debuginfod-find(1)); what no
// server has is not asked for again for limits::debuginfod_absent.  Any thread.
class Debuginfod {
 public:
  enum class State {
    found,     // `file`
    absent,    // no server has it, or none answered
    fetching,  // still on its way, or waiting for its turn
    unknown,   // never asked for
  };
  struct Answer {
    State state = State::unknown;
    Fd file;
    std::string path;  // of `file`, in the cache
  };

  // `servers`: as DEBUGINFOD_URLS has them; empty: none, and nothing is ever asked.  `command` runs print_debug_file()
  // on the build id that is added as the last argument.
  Debuginfod(std::string servers, std::vector<std::string> command);
  Debuginfod(const Debuginfod&) = delete;
  Debuginfod& operator=(const Debuginfod&) = delete;
  ~Debuginfod();  // gives up what is on its way

  // `settled` is called each time that a fetch has ended, with a file or without, on a thread of its own and never with
  // a lock held.  To be set before anything is asked for.
  void on_settled(std::function<void()> settled) { settled_ = std::move(settled); }

  // Starts to fetch the file, unless that was done before, and waits for it, at most `patience`; not if it must wait
  // for another file.
  [[nodiscard]] Answer find(const std::string& build_id, std::chrono::milliseconds patience);
  // What is known of it now.
  [[nodiscard]] Answer known(const std::string& build_id);
  [[nodiscard]] const std::string& servers() const { return servers_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct File {
    State state = State::fetching;
    std::string path;
    Clock::time_point since;
  };

  [[nodiscard]] Answer answer(const std::string& build_id);  // with the lock
  void work();
  [[nodiscard]] std::string fetch(const std::string& build_id);

  std::string servers_;
  std::vector<std::string> command_;
  std::function<void()> settled_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, File> files_;
  std::deque<std::string> queue_;
  bool ending_ = false;
  std::thread worker_;  // started when there is something to do
};

// Fetches the debug file and prints its path in the cache.  Returns the status to exit with.
[[nodiscard]] int print_debug_file(const char* build_id);

}  // namespace diagnose::target
