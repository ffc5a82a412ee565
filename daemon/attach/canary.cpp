#include "attach/canary.h"

#include <array>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "attach/own_probes.h"

extern "C" {
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_canary() {
  asm volatile("push %rbp; pop %rbp; ret");
}
}

namespace diagnose::attach {
namespace {

constexpr unsigned uretprobe_call = 335;  // arch/x86/entry/syscalls/syscall_64.tbl

bool forbid_uretprobe_call() {
  std::array<sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, uretprobe_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

double live_on() {
  if (!forbid_uretprobe_call()) return 0;
  diagnose_canary();
  return 1;
}

}  // namespace

bool trampolines_pass_filters(const Kernel& kernel, Detacher& detacher) {
  OwnProbes own(kernel, detacher);
  return own.ready() && own.in_child(diagnose_canary, LinkKind::returning, live_on) == 1.0;
}

}  // namespace diagnose::attach
