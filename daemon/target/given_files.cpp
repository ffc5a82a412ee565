#include "target/given_files.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/syscall.h>
#include <ucontext.h>

namespace diagnose::target {
namespace {

// A signal's handler has no other way to it.
const SplitFiles* given = nullptr;

long open_given(const char* path, long flags) {
  if (given == nullptr || path == nullptr || (flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  const std::size_t count = std::min(given->fds.size(), given->names.size());
  for (std::size_t at = 0; at < count; ++at) {
    if (given->names[at] != path) continue;
    const int copy = ::fcntl(given->fds[at], F_DUPFD_CLOEXEC, 0);
    return copy >= 0 ? copy : -errno;
  }
  return -EACCES;
}

// Of a descriptor: every other path is none of a link's (EINVAL), so that realpath() goes on.
long link_of(const char* path, char* to, std::size_t size) {
  if (given == nullptr || given->fds.empty() || path == nullptr) return -EACCES;
  constexpr std::string_view descriptors = "/proc/self/fd/";
  if (!std::string_view(path).starts_with(descriptors)) return -EINVAL;
  const std::size_t length = std::min(size, std::strlen(given_path));
  std::memcpy(to, given_path, length);
  return static_cast<long>(length);
}

void answer_call(int /*signal*/, siginfo_t* info, void* context) {
  const int kept_errno = errno;
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto first = registers[REG_RDI];
  const auto second = registers[REG_RSI];
  const auto third = registers[REG_RDX];
  long answer = -EACCES;
  switch (info->si_syscall) {
    case SYS_open:
      answer = open_given(reinterpret_cast<const char*>(first), second);
      break;
    case SYS_openat:
      answer = open_given(reinterpret_cast<const char*>(second), third);
      break;
    case SYS_readlink:
      answer = link_of(reinterpret_cast<const char*>(first), reinterpret_cast<char*>(second),
                       static_cast<std::size_t>(third));
      break;
    default:
      break;
  }
  registers[REG_RAX] = answer;
  errno = kept_errno;
}

}  // namespace

int GivenFiles::install() {
  struct sigaction action {};
  action.sa_sigaction = &answer_call;
  action.sa_flags = SA_SIGINFO;
  return ::sigaction(SIGSYS, &action, nullptr) == 0 ? 0 : errno;
}

GivenFiles::GivenFiles(const SplitFiles& files) {
  given = &files;
}

GivenFiles::~GivenFiles() {
  given = nullptr;
}

}  // namespace diagnose::target
