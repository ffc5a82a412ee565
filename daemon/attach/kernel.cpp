#include "attach/kernel.h"

#include <bpf/bpf.h>
#include <cerrno>
#include <csignal>

#include "attach/kernel_trials.h"

namespace diagnose::attach {
namespace {

// arch/x86/entry/syscalls/syscall_64.tbl
constexpr long uretprobe_call = 335;
constexpr long uprobe_call = 336;

bool forbidden(int error) {
  return error == EPERM || error == EACCES;
}

// A link with the directory "/" is refused late, as EBADF (not an ordinary file), by a kernel that knows the link type,
// and as EINVAL by one that does not.
bool links(const KernelTrials& trials, std::uint32_t attach_type) {
  return trials.load(attach_type) == 0 && trials.link_directory(attach_type, 0) == EBADF;
}

// From ordinary code the system call answers which scheme it belongs to (kernel: arch/x86/kernel/uprobes.c).
Nop5 nop5_scheme(const Tried& tried) {
  if (tried.signal != 0 || forbidden(tried.error)) return Nop5::unknown;
  switch (tried.error) {
    case ENOSYS:
      return Nop5::ordinary;
    case EPROTO:
      return Nop5::past_red_zone;
    default:
      return Nop5::over_red_zone;
  }
}

// From ordinary code: SIGILL.  A call that a filter denies is taken to be there: the careful answer.
bool has_uretprobe_call(const Tried& tried) {
  return tried.signal != 0 || tried.error != ENOSYS;
}

std::string missing_for_all(const KernelTrials& trials) {
  std::string missing;
  const auto need = [&](bool has, const char* what) {
    if (!has) missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  need(trials.has_types(), "BTF (CONFIG_DEBUG_INFO_BTF, /sys/kernel/btf/vmlinux)");
  need(trials.has_helper(BPF_FUNC_ringbuf_reserve), "the BPF ring buffer (5.8)");
  need(trials.has_helper(BPF_FUNC_task_storage_get), "task-local storage for tracing programs (5.11)");
  need(trials.has_helper(BPF_FUNC_get_attach_cookie), "attach cookies (5.15)");
  return missing;
}

}  // namespace

Result<Kernel> Kernel::detect() {
  return detect(RunningKernel());
}

Result<Kernel> Kernel::detect(const KernelTrials& trials) {
  if (forbidden(trials.load(0))) {
    return failure({.what = "load a kernel program",
                    .where = "",
                    .why = "not permitted",
                    .mend = "run as root, or give CAP_BPF and CAP_PERFMON"});
  }
  std::string missing = missing_for_all(trials);
  Kernel kernel;
  kernel.uprobe_multi = links(trials, BPF_TRACE_UPROBE_MULTI);
  const auto perf = trials.perf_uprobes();
  if (!kernel.uprobe_multi && !perf) {
    missing += (missing.empty() ? "" : ", ") + std::string("uprobes (CONFIG_UPROBE_EVENTS, and /sys mounted)");
  }
  if (!missing.empty()) {
    return failure({.what = "start on Linux " + trials.release(),
                    .where = "",
                    .why = "the kernel lacks " + missing,
                    .mend = "boot Linux 5.15 or later, built as Debian's are"});
  }
  kernel.perf_uprobes = perf.value_or(PerfUprobes{});
  constexpr auto no_process = static_cast<std::uint32_t>(-1);
  // Where the filter is right, an impossible pid is refused before the path is looked at (libbpf's own trial).
  kernel.multi_filters_processes =
      kernel.uprobe_multi && trials.link_directory(BPF_TRACE_UPROBE_MULTI, no_process) == EINVAL;
  const auto session = trials.attach_type("BPF_TRACE_UPROBE_SESSION");
  if (session && links(trials, *session)) kernel.session = session;
  kernel.nop5 = nop5_scheme(trials.system_call(uprobe_call));
  kernel.uretprobe_system_call = has_uretprobe_call(trials.system_call(uretprobe_call));
  kernel.loop_helper = trials.has_helper(BPF_FUNC_loop);
  return kernel;
}

std::vector<std::string> Kernel::lacks() const {
  std::vector<std::string> lines;
  if (!uprobe_multi) {
    lines.emplace_back("uprobe_multi (6.6): one perf event for each site; attaching and detaching take longer");
  } else if (!multi_filters_processes) {
    lines.emplace_back("a right process filter of uprobe_multi (6.6.35, 6.9.5): the program filters instead");
  }
  if (!session) lines.emplace_back("uprobe.session (6.13): an entry and a return program instead");
  if (nop5 == Nop5::ordinary) lines.emplace_back("optimised 5-byte nops (6.18): such entries cost as any other");
  if (!loop_helper) lines.emplace_back("bpf_loop (5.17): functions left by exceptions are not followed");
  return lines;
}

}  // namespace diagnose::attach
