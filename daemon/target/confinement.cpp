#include "target/confinement.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <optional>
#include <seccomp.h>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target/given_files.h"

namespace diagnose::target {
namespace {

tl::unexpected<Error> refused(const std::string& step, int error_number) {
  return failure({.what = "confine the reader of files",
                  .where = {},
                  .why = step + ": " + errno_text(error_number),
                  .mend = "let the daemon's sandbox allow it (in a unit: SystemCallFilter=@system-service seccomp)"});
}

Status close_others(int socket) {
  const auto number = static_cast<unsigned>(socket);
  if (number > 3 && ::close_range(3, number - 1, 0) != 0) return refused("close descriptors", errno);
  if (::close_range(number + 1, ~0U, 0) != 0) return refused("close descriptors", errno);
  return {};
}

Status limit(const Confinement& confinement) {
  constexpr rlim_t descriptors = limits::reader_files + 16;  // those of one request, the socket, /dev/null
  const rlim_t seconds = limits::reader_life_cpu.count();
  const struct {
    __rlimit_resource resource;
    rlim_t most;
    const char* name;
  } all[] = {{RLIMIT_AS, confinement.memory_bytes, "limit memory"},
             {RLIMIT_NOFILE, descriptors, "limit descriptors"},
             {RLIMIT_CPU, seconds, "limit processor time"},
             {RLIMIT_FSIZE, 0, "limit files written"},
             {RLIMIT_CORE, 0, "limit core files"}};
  for (const auto& one : all) {
    const rlimit wanted{.rlim_cur = one.most, .rlim_max = one.most};
    if (::setrlimit(one.resource, &wanted) != 0) return refused(one.name, errno);
  }
  return {};
}

Status drop_capabilities() {
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return refused("clear the ambient set", errno);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return refused("drop capabilities", errno);
  return {};
}

// Each adds to a filter that kills whatever no rule names.
class Filter {
 public:
  Filter() : filter_(::seccomp_init(SCMP_ACT_KILL_PROCESS)) {}
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() {
    if (filter_ != nullptr) ::seccomp_release(filter_);
  }

  void allow(int call) { add(SCMP_ACT_ALLOW, call, {}); }
  void allow(int call, scmp_arg_cmp only) { add(SCMP_ACT_ALLOW, call, only); }
  void trap(int call) { add(SCMP_ACT_TRAP, call, {}); }
  void refuse(int call) { add(SCMP_ACT_ERRNO(EACCES), call, {}); }
  void refuse(int call, scmp_arg_cmp only) { add(SCMP_ACT_ERRNO(EACCES), call, only); }

  // 0 or an errno value.
  [[nodiscard]] int load() {
    if (filter_ == nullptr) return ENOSYS;
    if (error_ == 0) error_ = -::seccomp_attr_set(filter_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error_ == 0) error_ = -::seccomp_load(filter_);
    return error_;
  }

 private:
  void add(std::uint32_t action, int call, std::optional<scmp_arg_cmp> only) {
    if (filter_ == nullptr || error_ != 0) return;
    const scmp_arg_cmp conditions = only.value_or(scmp_arg_cmp{});
    error_ = -::seccomp_rule_add_array(filter_, action, call, only ? 1 : 0, &conditions);
  }

  scmp_filter_ctx filter_;
  int error_ = 0;
};

// Of a system call's arguments, counted from 0.
constexpr scmp_arg_cmp argument(unsigned number, scmp_compare how, std::uint64_t value, std::uint64_t other = 0) {
  return {.arg = number, .op = how, .datum_a = value, .datum_b = other};
}

constexpr std::array files = {SCMP_SYS(read),  SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv),
                              SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(close)};
constexpr std::array messages = {SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll)};
constexpr std::array memory = {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise)};
// What glibc wants for sorting, hashing, locks, time, abort() and its last words.
constexpr std::array glibc = {
    SCMP_SYS(sysinfo),       SCMP_SYS(getrandom),       SCMP_SYS(futex),          SCMP_SYS(sched_yield),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),    SCMP_SYS(time),           SCMP_SYS(getpid),
    SCMP_SYS(gettid),        SCMP_SYS(rt_sigaction),    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),   SCMP_SYS(restart_syscall), SCMP_SYS(write),          SCMP_SYS(writev),
    SCMP_SYS(exit),          SCMP_SYS(exit_group)};
// Libraries try these (split DWARF, messages in the user's language) and go on without.
constexpr std::array by_path = {SCMP_SYS(openat2), SCMP_SYS(stat),      SCMP_SYS(lstat),      SCMP_SYS(statx),
                                SCMP_SYS(access),  SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlinkat),
                                SCMP_SYS(getcwd),  SCMP_SYS(ioctl)};
// Answered from what the daemon has given (given_files.h).
constexpr std::array from_given = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink)};

Status filter_system_calls() {
  Filter filter;
  for (const std::span<const int> calls : {std::span<const int>(files), std::span<const int>(messages),
                                           std::span<const int>(memory), std::span<const int>(glibc)}) {
    for (const int call : calls) filter.allow(call);
  }
  // No code but what was there at the start.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    filter.allow(call, argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC));
  }
  filter.allow(SCMP_SYS(tgkill), argument(0, SCMP_CMP_EQ, static_cast<std::uint64_t>(::getpid())));  // abort
  for (const unsigned command : {unsigned{F_GETFD}, unsigned{F_GETFL}, unsigned{F_DUPFD_CLOEXEC}}) {
    filter.allow(SCMP_SYS(fcntl), argument(1, SCMP_CMP_EQ, command));
  }
  // glibc's fstat().
  filter.allow(SCMP_SYS(newfstatat), argument(3, SCMP_CMP_EQ, AT_EMPTY_PATH));
  filter.refuse(SCMP_SYS(newfstatat), argument(3, SCMP_CMP_NE, AT_EMPTY_PATH));
  for (const int call : by_path) filter.refuse(call);
  if (const int error = GivenFiles::install(); error != 0) return refused("answer for files", error);
  for (const int call : from_given) filter.trap(call);
  if (const int error = filter.load(); error != 0) return refused("load the seccomp filter", error);
  return {};
}

}  // namespace

Status confine(int socket, const Confinement& confinement) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return refused("die with the daemon", errno);
  if (auto closed = close_others(socket); !closed) return closed;
  if (auto limited = limit(confinement); !limited) return limited;
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return refused("keep tracers off", errno);
  if (auto dropped = drop_capabilities(); !dropped) return dropped;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("refuse new privileges", errno);
  return filter_system_calls();
}

}  // namespace diagnose::target
