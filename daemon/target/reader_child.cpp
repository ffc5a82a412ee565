#include "target/reader_child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "base/limits.h"
#include "target/channel.h"
#include "target/reader_wire.h"

namespace diagnose::target {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr int child_socket = 3;
constexpr const char* damaged = "check that the file is whole; if it is, this is a bug of diagnosed: report it";

tl::unexpected<Error> cannot_start(int error_number) {
  return failure({.what = "start the reader of files",
                  .where = {},
                  .why = errno_text(error_number),
                  .mend = "raise the host's limits on processes and memory"});
}

Error broken(std::string why, std::string mend) {
  return {.what = {}, .where = {}, .why = std::move(why), .mend = std::move(mend)};
}

timespec as_timespec(nanoseconds time) {
  return {.tv_sec = time.count() / 1'000'000'000, .tv_nsec = time.count() % 1'000'000'000};
}

std::string seconds(nanoseconds time) {
  std::string text = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  text.insert(0, text.size() < 4 ? 4 - text.size() : 0, '0');
  text.insert(text.size() - 3, ".");
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

// Of posix_spawn(3); both free what they hold.
struct Actions {
  posix_spawn_file_actions_t all{};
  Actions() { ::posix_spawn_file_actions_init(&all); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&all); }
};
struct Attributes {
  posix_spawnattr_t all{};
  Attributes() { ::posix_spawnattr_init(&all); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&all); }
};

// 0 or an errno value.  What is set fails only for lack of memory.
int spawn(pid_t& pid, const std::vector<std::string>& command, int socket) {
  std::vector<std::string> words = command;
  words.push_back(std::to_string(child_socket));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<char*, 1> no_environment{};

  Actions actions;
  for (int standard = 0; standard < child_socket; ++standard) {
    ::posix_spawn_file_actions_addopen(&actions.all, standard, "/dev/null", O_RDWR, 0);
  }
  ::posix_spawn_file_actions_adddup2(&actions.all, socket, child_socket);
  ::posix_spawn_file_actions_addclosefrom_np(&actions.all, child_socket + 1);
  // Ctrl-C and systemd's SIGTERM mean the daemon, which may need its reader to the end.
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&blocked, number);
  sigset_t defaults;
  ::sigfillset(&defaults);
  Attributes attributes;
  ::posix_spawnattr_setsigmask(&attributes.all, &blocked);
  ::posix_spawnattr_setsigdefault(&attributes.all, &defaults);
  ::posix_spawnattr_setflags(&attributes.all, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  return ::posix_spawn(&pid, command.front().c_str(), &actions.all, &attributes.all, arguments.data(),
                       no_environment.data());
}

}  // namespace

// Waits for the socket as long as patience lasts.
class ReaderChild::Watch {
 public:
  Watch(const ReaderChild& child, const Patience& patience)
      : socket_(child.socket_.get()), patience_(patience), until_(Clock::now() + patience.wait) {
    has_clock_ = ::clock_getcpuclockid(child.pid_, &clock_) == 0;
    start_ = used();
  }

  bool ready(short events) {
    for (;;) {
      const nanoseconds wait_left = until_ - Clock::now();
      const nanoseconds cpu_left = patience_.cpu - (used() - start_);
      late_cpu_ = cpu_left <= nanoseconds::zero();
      if (late_cpu_ || wait_left <= nanoseconds::zero()) return false;
      pollfd one{.fd = socket_, .events = events, .revents = 0};
      const timespec most = as_timespec(std::min(wait_left, cpu_left));
      if (::ppoll(&one, 1, &most, nullptr) > 0) return true;
    }
  }

  [[nodiscard]] Error late() const {
    if (late_cpu_) {
      return broken("the reader of files was stopped after " + seconds(patience_.cpu) + " of processor time",
                    "narrow the pattern, or check that the file is whole");
    }
    return broken("the reader of files did not answer within " + seconds(patience_.wait),
                  "try again when the host is less busy, or check that the file can be read");
  }

 private:
  [[nodiscard]] nanoseconds used() const {
    timespec time{};
    if (!has_clock_ || ::clock_gettime(clock_, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
  }

  int socket_;
  Patience patience_;
  Clock::time_point until_;
  clockid_t clock_{};
  bool has_clock_ = false;  // without one `wait` is the only bound
  nanoseconds start_{};
  bool late_cpu_ = false;
};

Result<ReaderChild> ReaderChild::start(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return cannot_start(errno);
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  pid_t pid = -1;
  if (const int error = spawn(pid, command, theirs.get()); error != 0) return cannot_start(error);
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int error = errno;
  ReaderChild child(pid, std::move(process), std::move(ours));
  if (!child.process_) return cannot_start(error);
  return child;
}

ReaderChild& ReaderChild::operator=(ReaderChild&& other) noexcept {
  if (this == &other) return *this;
  end();
  pid_ = other.pid_;
  process_ = std::move(other.process_);
  socket_ = std::move(other.socket_);
  greeted_ = other.greeted_;
  return *this;
}

ReaderChild::~ReaderChild() {
  end();
}

void ReaderChild::end() {
  if (!socket_) return;  // moved from
  socket_.reset();
  ::kill(pid_, SIGKILL);
  // A read from a dead network file system may hold it back: then it stays a zombie until we exit.
  constexpr int patience_ms = 200;
  pollfd gone{.fd = process_.get(), .events = POLLIN, .revents = 0};
  if (process_) (void)::poll(&gone, 1, patience_ms);
  ::waitpid(pid_, nullptr, process_ ? WNOHANG : 0);
}

bool ReaderChild::running() const {
  pollfd gone{.fd = process_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&gone, 1, 0) == 0;
}

std::size_t ReaderChild::resident_bytes() const {
  const std::string path = "/proc/" + std::to_string(pid_) + "/statm";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  const char* second = std::strchr(text.data(), ' ');
  if (second == nullptr) return 0;
  return std::strtoull(second, nullptr, 10) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Why it has closed the socket.
Error ReaderChild::death() {
  constexpr int patience_ms = 1000;
  pollfd gone{.fd = process_.get(), .events = POLLIN, .revents = 0};
  siginfo_t how{};
  if (::poll(&gone, 1, patience_ms) <= 0 ||
      ::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOHANG | WNOWAIT) != 0 || how.si_pid != pid_) {
    return broken("the reader of files closed its socket", damaged);
  }
  if (how.si_code == CLD_EXITED) {
    return broken("the reader of files ended with status " + std::to_string(how.si_status), damaged);
  }
  const char* name = ::sigabbrev_np(how.si_status);
  std::string why = "the reader of files was killed by SIG" + std::string(name != nullptr ? name : "?");
  if (how.si_status == SIGSYS) why += ": it wanted what its sandbox forbids";
  if (how.si_status == SIGBUS) why += ": the file was cut while it was read";
  return broken(std::move(why), damaged);
}

Status ReaderChild::greet(const Patience& patience) {
  if (greeted_) return {};
  Watch watch(*this, patience);
  constexpr std::size_t hello_bytes_max = 64U << 10U;
  Message message;
  const Transfer got = receive(socket_.get(), message, hello_bytes_max, 0, [&](short e) { return watch.ready(e); });
  if (got == Transfer::late) return failure(watch.late());
  if (got == Transfer::closed) return failure(death());
  wire::Reader in(message.bytes, hello_bytes_max);
  bool confined = false;
  Error error;
  in(confined);
  if (!confined) in(error);
  if (got != Transfer::done || !in.done()) {
    return failure(broken("the reader of files says what makes no sense", damaged));
  }
  if (!confined) return failure(std::move(error));
  greeted_ = true;
  return {};
}

Result<std::string> ReaderChild::exchange(const std::string& request, const std::vector<int>& descriptors,
                                          const Patience& patience) {
  Watch watch(*this, patience);
  const Ready ready = [&](short events) { return watch.ready(events); };
  Transfer moved = send(socket_.get(), request, descriptors, ready);
  Message message;
  if (moved == Transfer::done) moved = receive(socket_.get(), message, limits::reader_answer_bytes, 0, ready);
  switch (moved) {
    case Transfer::done:
      return std::move(message.bytes);
    case Transfer::closed:
      return failure(death());
    case Transfer::late:
      return failure(watch.late());
    case Transfer::malformed:
      break;
  }
  return failure(broken("the answer of the reader of files makes no sense", damaged));
}

}  // namespace diagnose::target
