// A sandboxed reader that does what a file might make it do: `function` of a request says what.  Run by
// SandboxedReader, with the number of its socket as the last argument.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/result.h"
#include "target/debug_info.h"
#include "target/reader_server.h"

// The sanitizer would catch the crash, and open files to tell of it.
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier): its name is the interface
  return "handle_segv=0:handle_abort=0:detect_leaks=0:allocator_may_return_null=0";
}

namespace {

using namespace diagnose;
using namespace diagnose::target;

class HostileReader final : public FileReader {
 public:
  explicit HostileReader(int socket) : socket_(socket) {}

  Result<FileAnswer> read(const FileRequest& request) override {
    const std::string& what = request.function;
    FileAnswer answer;
    if (what == "crash") crash();
    if (what == "abort") std::abort();
    if (what == "exit") ::_exit(7);
    if (what == "hang") spin();
    if (what == "sleep") ::poll(nullptr, 0, -1);
    if (what == "eat") eat();
    if (what == "connect") (void)::socket(AF_INET, SOCK_STREAM, 0);
    if (what == "fork") (void)::fork();
    if (what == "execute") (void)::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (what == "kill") (void)::kill(::getppid(), SIGKILL);
    if (what == "open") answer.nearest = {errno_text(::open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0)};
    if (what == "open given") answer.nearest = given();
    if (what == "descriptors") answer.nearest = open_descriptors();
    if (what == "size") answer.nearest = {size_of(request.fd)};
    if (what == "garbage") babble(4096, 1);
    if (what == "flood") babble(std::size_t{1} << 20U, 1U << 20U);
    if (what == "register") answer.functions = {with_register(99)};
    if (what == "keep") keep();
    if (what == "fail") return failure({.what = "a", .where = "b", .why = "c", .mend = "d"});
    return answer;
  }
  Result<CallersAnswer> callers(const CallersRequest& /*request*/) override { return CallersAnswer{}; }
  Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& /*request*/) override {
    return std::vector<ReturnSite>(3);  // whatever was asked for
  }
  Result<Traits> traits(int /*fd*/, const std::string& /*name*/) override { return Traits{}; }
  Result<Identity> identify(int /*fd*/, const std::string& /*name*/) override { return Identity{}; }
  Result<DebugInfo> describe(const DescribeRequest& /*request*/) override { return DebugInfo{}; }  // without a type
  Result<ListAnswer> list(const ListRequest& /*request*/) override { return ListAnswer{}; }
  Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& /*request*/) override {
    return std::vector<Symbolized>(3);  // whatever was asked for
  }

 private:
  static void crash() {
    volatile std::uintptr_t nowhere = 8;
    *reinterpret_cast<volatile int*>(nowhere) = 1;
  }

  static void spin() {
    for (volatile bool on = true; on;) {
    }
  }

  static void eat() {
    std::vector<std::vector<char>> eaten;
    for (;;) eaten.emplace_back(std::size_t{16} << 20U, 'x');
  }

  void keep() { kept_.assign(std::size_t{80} << 20U, 'x'); }

  static std::vector<std::string> open_descriptors() {
    std::vector<std::string> open;
    for (int number = 0; number < 1000; ++number) {
      if (::fcntl(number, F_GETFD) >= 0) open.push_back(std::to_string(number));
    }
    return open;
  }

  // By the name that it was given, by another, to write, and where libraries look for the path of a descriptor.
  static std::vector<std::string> given() {
    const auto opened = [](const char* path, int flags) {
      const int fd = ::open(path, flags);
      std::string told = fd >= 0 ? size_of(fd) : errno_text(errno);
      if (fd >= 0) ::close(fd);
      return told;
    };
    std::array<char, 64> link{};
    const ssize_t length = ::readlink("/proc/self/fd/4", link.data(), link.size());
    return {opened("/given", O_RDONLY), opened("/other", O_RDONLY), opened("/given", O_RDWR),
            length > 0 ? std::string(link.data(), static_cast<std::size_t>(length)) : errno_text(errno)};
  }

  static std::string size_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? std::to_string(status.st_size) : errno_text(errno);
  }

  static Function with_register(std::uint8_t number) {
    Function function;
    function.sites.resize(1);
    function.sites.front().cfa_register = number;
    return function;
  }

  // Past the protocol, straight to the daemon.
  void babble(std::size_t bytes, std::size_t times) const {
    std::vector<char> noise(bytes);
    unsigned state = 20261128;
    for (char& byte : noise) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24U);
    for (std::size_t round = 0; round < times; ++round) {
      if (::write(socket_, noise.data(), noise.size()) < 0) break;
    }
  }

  int socket_;
  std::vector<char> kept_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int socket = std::atoi(argv[argc - 1]);
  Confinement confinement;
#ifdef __SANITIZE_ADDRESS__
  confinement.memory_bytes = RLIM_INFINITY;  // its shadow takes terabytes of addresses
#endif
  HostileReader reader(socket);
  return serve_reader(socket, reader, confinement);
}
