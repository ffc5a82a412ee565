#include "attach/kernel_trials.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/syscall.h"

namespace diagnose::attach {

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "unknown";
}

void RunningKernel::Free::operator()(btf* types) const {
  btf__free(types);
}

RunningKernel::RunningKernel() : types_(btf__load_vmlinux_btf()) {}
RunningKernel::~RunningKernel() = default;

std::optional<std::uint32_t> RunningKernel::attach_type(const std::string& name) const {
  const int id = types_ ? btf__find_by_name_kind(types_.get(), "bpf_attach_type", BTF_KIND_ENUM) : -1;
  if (id < 0) return std::nullopt;
  const btf_type* type = btf__type_by_id(types_.get(), static_cast<std::uint32_t>(id));
  const struct btf_enum* values = btf_enum(type);
  for (int at = 0; at < btf_vlen(type); ++at) {
    if (name == btf__name_by_offset(types_.get(), values[at].name_off)) {
      return static_cast<std::uint32_t>(values[at].val);
    }
  }
  return std::nullopt;
}

int RunningKernel::load(std::uint32_t attach_type) const {
  return load_empty_program(attach_type) ? 0 : errno;
}

// Through bpf(2): libbpf 1.4's bpf_link_create() refuses options of attach types that it does not know.
int RunningKernel::link_directory(std::uint32_t attach_type, std::uint32_t pid) const {
  const Fd program = load_empty_program(attach_type);
  if (!program) return errno;
  const unsigned long offset = 0;
  bpf_attr request{};
  request.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
  request.link_create.attach_type = attach_type;
  request.link_create.uprobe_multi.path = reinterpret_cast<std::uintptr_t>("/");
  request.link_create.uprobe_multi.offsets = reinterpret_cast<std::uintptr_t>(&offset);
  request.link_create.uprobe_multi.cnt = 1;
  request.link_create.uprobe_multi.pid = pid;
  const Fd link(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &request, sizeof(request))));
  return link ? 0 : errno;
}

bool RunningKernel::has_helper(std::uint32_t helper) const {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, static_cast<bpf_func_id>(helper), nullptr) == 1;
}

// In a child: some of these calls answer with SIGILL, and a system call filter may kill.
Tried RunningKernel::system_call(long number) const {
  const pid_t child = ::fork();
  if (child < 0) return {.error = EPERM};
  if (child == 0) {
    ::prctl(PR_SET_DUMPABLE, 0);  // no core file of it
    ::signal(SIGILL, SIG_DFL);
    ::signal(SIGSYS, SIG_DFL);
    errno = 0;
    ::syscall(number);
    ::_exit(errno);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {.error = 0, .signal = WTERMSIG(status)};
  return {.error = WEXITSTATUS(status)};
}

std::optional<PerfUprobes> RunningKernel::perf_uprobes() const {
  const std::string folder = "/sys/bus/event_source/devices/uprobe/";
  PerfUprobes found;
  std::string format;
  if (!(std::ifstream(folder + "type") >> found.type)) return std::nullopt;
  constexpr std::string_view prefix = "config:";
  if (!(std::ifstream(folder + "format/retprobe") >> format) || format.rfind(prefix, 0) != 0) return std::nullopt;
  found.retprobe_bit = static_cast<std::uint32_t>(std::strtoul(format.c_str() + prefix.size(), nullptr, 10));
  return found;
}

}  // namespace diagnose::attach
