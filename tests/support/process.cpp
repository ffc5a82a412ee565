#include "support/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace diagnose::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

std::array<Fd, 2> pipe_pair() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail(std::string("pipe: ") + std::strerror(errno));
  return {Fd(ends[0]), Fd(ends[1])};
}

[[noreturn]] void become(const std::vector<char*>& arguments, int in, int out, int err, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the request
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execvp(arguments[0], arguments.data());
  const std::string text = std::string(arguments[0]) + ": " + std::strerror(errno) + "\n";
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) ::_exit(126);
  ::_exit(127);
}

// Appends what can be read now; closes `fd` at its end.
void take(Fd& fd, std::string& text) {
  std::array<char, 65536> bytes;
  const ssize_t got = ::read(fd.get(), bytes.data(), bytes.size());
  if (got > 0) {
    text.append(bytes.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
    fd.reset();
  }
}

int milliseconds_to(std::chrono::steady_clock::time_point deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(left).count());
}

}  // namespace

Process::Process(const Command& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  auto [in_read, in_write] = pipe_pair();
  auto [out_read, out_write] = pipe_pair();
  auto [err_read, err_write] = pipe_pair();
  ::signal(SIGPIPE, SIG_IGN);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail(std::string("fork: ") + std::strerror(errno));
  if (pid_ == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    become(arguments, in_read.get(), out_write.get(), err_write.get(), parent);
  }
  input_ = std::move(in_write);
  out_ = std::move(out_read);
  err_ = std::move(err_read);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      reaped_(other.reaped_),
      ended_(std::move(other.ended_)),
      input_(std::move(other.input_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Process::~Process() {
  if (pid_ < 0 || reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::reap(int options) {
  if (reaped_) return;
  int status = 0;
  if (::waitpid(pid_, &status, options) != pid_) return;
  reaped_ = true;
  ended_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Process::running() {
  reap(WNOHANG);
  return !reaped_;
}

void Process::write(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(input_.get(), text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return;  // the process has closed its input: its exit status tells the rest
    done += static_cast<std::size_t>(wrote);
  }
}

void Process::close_input() {
  input_.reset();
}

void Process::signal(int number) const {
  if (!reaped_) ::kill(pid_, number);
}

bool Process::pump(std::chrono::steady_clock::time_point deadline) {
  std::array<pollfd, 2> waits = {pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
  if (!out_ && !err_) return false;
  const int left = milliseconds_to(deadline);
  if (left <= 0) {
    fail("process " + std::to_string(pid_) + " is still at it; so far it wrote:\n" + ended_.out + ended_.err);
  }
  if (::poll(waits.data(), waits.size(), left) <= 0) return true;
  if (out_ && waits[0].revents != 0) take(out_, ended_.out);
  if (err_ && waits[1].revents != 0) take(err_, ended_.err);
  return true;
}

std::string Process::line(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::size_t end = ended_.out.find('\n');
  while (end == std::string::npos) {
    const bool open = pump(deadline);
    end = ended_.out.find('\n');
    if (!open && end == std::string::npos) fail("output ended before a whole line: " + ended_.out + ended_.err);
  }
  std::string text = ended_.out.substr(0, end);
  ended_.out.erase(0, end + 1);
  return text;
}

Ended Process::finish(std::chrono::milliseconds patience) {
  close_input();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (pump(deadline)) {
  }
  const Fd ending(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (running() && ending) {
    pollfd wait{ending.get(), POLLIN, 0};
    ::poll(&wait, 1, std::max(0, milliseconds_to(deadline)));
  }
  if (running()) fail("process " + std::to_string(pid_) + " does not end");
  return ended_;
}

Ended run(const Command& command, const std::string& input, std::chrono::milliseconds patience) {
  Process process(command);
  process.write(input);
  return process.finish(patience);
}

std::map<std::string, long> counts_in(const std::string& text) {
  std::map<std::string, long> counts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    counts[line.substr(0, equals)] = std::stol(line.substr(equals + 1));
  }
  return counts;
}

std::string program_path(const std::string& name) {
  return name.find('/') == std::string::npos ? TEST_BINARY_DIR "/tests/programs/" + name : name;
}

namespace {

Command with_path(Command command) {
  command.at(0) = program_path(command.at(0));
  return command;
}

}  // namespace

Program::Program(Command command) : path_(program_path(command.at(0))), process_(with_path(std::move(command))) {
  const std::string line = process_.line();
  if (line != "ready " + std::to_string(process_.pid())) fail("expected `ready PID` of " + path_ + ", got: " + line);
}

std::map<std::string, long> Program::counts(std::chrono::milliseconds patience) {
  const Ended ended = finish(patience);
  if (ended.status != 0) {
    fail(path_ + " ended with status " + std::to_string(ended.status) + ": " + ended.out + ended.err);
  }
  return counts_in(ended.out);
}

void moment() {
  std::this_thread::sleep_for(10ms);
}

}  // namespace diagnose::test
