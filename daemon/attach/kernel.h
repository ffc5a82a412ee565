// What this kernel can do for us (design §4), found by trying it: distributions carry features back and leave others
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace diagnose::attach {

// perf_event_open(2) for uprobes: /sys/bus/event_source/devices/uprobe.
struct PerfUprobes {
  std::uint32_t type = 0;          // perf_event_attr.type
  std::uint32_t retprobe_bit = 0;  // of perf_event_attr.config
};

// What the kernel makes of a breakpoint on a 5-byte nop (0f 1f 44 00 00).
enum class Nop5 {
  ordinary,       // nothing: as any other instruction
  over_red_zone,  // a `call` that overwrites what a leaf function keeps below rsp (6.18, hazard 7)
  past_red_zone,  // the repaired scheme
  unknown,        // the trial was forbidden: to be treated as over_red_zone
};

// What a system call did in a child that tried it.
struct Tried {
  int error = 0;   // errno
  int signal = 0;  // that ended the child, or 0
};

// The questions detect() puts to the kernel.
class KernelTrials {
 public:
  virtual ~KernelTrials() = default;
  [[nodiscard]] virtual std::string release() const = 0;
  [[nodiscard]] virtual bool has_types() const = 0;  // BTF
  // Of enum bpf_attach_type, from BTF.
  [[nodiscard]] virtual std::optional<std::uint32_t> attach_type(const std::string& name) const = 0;
  // Loads a program that does nothing for this attach type: errno, or 0.
  [[nodiscard]] virtual int load(std::uint32_t attach_type) const = 0;
  // Links such a program with a site of the directory "/" in process `pid`: errno.
  [[nodiscard]] virtual int link_directory(std::uint32_t attach_type, std::uint32_t pid) const = 0;
  [[nodiscard]] virtual bool has_helper(std::uint32_t helper) const = 0;  // enum bpf_func_id
  [[nodiscard]] virtual Tried system_call(long number) const = 0;         // without arguments
  [[nodiscard]] virtual std::optional<PerfUprobes> perf_uprobes() const = 0;
};

struct Kernel {
  bool uprobe_multi = false;  // BPF_TRACE_UPROBE_MULTI links, 6.6 (kernel commit 89ae89f53d20)
  // In 6.6.0-6.6.34 and 6.9.0-6.9.4 uprobe_multi limits a link to a thread where it says process (hazard 14).
  bool multi_filters_processes = false;
  std::optional<std::uint32_t> session;  // attach type of uprobe.session, 6.13
  PerfUprobes perf_uprobes;              // used without uprobe_multi
  Nop5 nop5 = Nop5::unknown;
  bool uretprobe_system_call = false;  // return trampolines make it, 6.11: mind seccomp (hazard 8)
  bool loop_helper = false;            // bpf_loop, 5.17
  // The emulation of a probed `call` also pushes onto the shadow stack (branch_emulate_op() calling shstk_push(), in
  // arch/x86/kernel/uprobes.c after 6.18; without it the callee's `ret` kills the process).  Nothing but a CPU with CET
  // can try that and no symbol tells it, so it is never claimed: with target::ProcFs::shadow_stack(pid) no site is a
  // call.
  bool call_keeps_shadow_stack = false;

  // May a breakpoint stand on a 5-byte nop anywhere, not only where nothing lives below rsp (hazard 7)?
  [[nodiscard]] bool nop5_spares_red_zone() const { return nop5 == Nop5::ordinary || nop5 == Nop5::past_red_zone; }
  // A link can be limited to one process.  If not, breakpoints go into every process that maps the file: the program
  // filters, and the file wants a lease (hazard 10).
  [[nodiscard]] bool scopes_to_process() const { return uprobe_multi && multi_filters_processes; }
  // May a breakpoint stand on a `call` in a process (hazard 16)?
  [[nodiscard]] bool allows_call_sites(bool shadow_stack) const { return !shadow_stack || call_keeps_shadow_stack; }
  // One line for each thing that this kernel lacks, with what is done instead.
  [[nodiscard]] std::vector<std::string> lacks() const;

  // Fails on a kernel that cannot run Diagnose at all, saying everything that is missing, and without CAP_BPF and
  // CAP_PERFMON.  Takes some 20 ms.  Main thread, before others start: it forks.
  [[nodiscard]] static Result<Kernel> detect();
  [[nodiscard]] static Result<Kernel> detect(const KernelTrials& trials);
};

// "6.18.44-..." as uname tells it.
[[nodiscard]] std::string kernel_release();

}  // namespace diagnose::attach
