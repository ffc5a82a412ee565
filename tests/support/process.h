// Starting programs and reading what they say.  What goes wrong here is the test's failure: it throws
// std::runtime_error, and GoogleTest turns that into a failed test.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/fd.h"

namespace diagnose::test {

using namespace std::chrono_literals;
using Command = std::vector<std::string>;

// How a process ended and what it wrote.
struct Ended {
  int status = -1;  // exit status; 128 + N if signal N ended it
  std::string out;
  std::string err;
};

// A running process with pipes at its standard input, output and error.  It dies with its owner.
class Process {
 public:
  explicit Process(const Command& command);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();  // SIGKILL if it still runs

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();  // it has not ended
  void write(const std::string& text);
  void close_input();
  void signal(int number) const;
  // The next line of standard output, without its newline.  Throws at the end of the output and after `patience`.
  std::string line(std::chrono::milliseconds patience = 60s);
  // Closes the input, reads both outputs to their end and waits.  Throws after `patience`.
  Ended finish(std::chrono::milliseconds patience = 60s);

 private:
  bool pump(std::chrono::steady_clock::time_point deadline);  // reads what there is; false when both ends are closed
  void reap(int options);

  pid_t pid_ = -1;
  bool reaped_ = false;
  Ended ended_;
  Fd input_;
  Fd out_;
  Fd err_;
};

// Runs a command to its end.
Ended run(const Command& command, const std::string& input = "", std::chrono::milliseconds patience = 60s);

// `name=value` lines.
std::map<std::string, long> counts_in(const std::string& text);

// One of tests/programs, started and waiting for go().
class Program {
 public:
  // `command[0]` without a slash is a program of tests/programs.
  explicit Program(Command command);

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] bool running() { return process_.running(); }
  void go() { process_.write("\n"); }      // starts the counted work
  void enough() { process_.write("\n"); }  // ends the work of programs that wait for that
  void signal(int number) const { process_.signal(number); }
  // Waits for the end; a status other than 0 throws.
  std::map<std::string, long> counts(std::chrono::milliseconds patience = 120s);
  Ended finish(std::chrono::milliseconds patience = 120s) { return process_.finish(patience); }

 private:
  std::string path_;
  Process process_;
};

[[nodiscard]] std::string program_path(const std::string& name);

// Waits until `condition` holds, looking often.  False if it did not within `patience`.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::milliseconds patience = 60s);

// Outside the template: sleeps for the moment between two looks.
void moment();

template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    moment();
  }
  return true;
}

}  // namespace diagnose::test
