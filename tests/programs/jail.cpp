// jail N: allows itself a handful of system calls and is killed at any other; then calls `jailed` N times, and
// `jailed_nop`, which begins with a 5-byte nop.
#include <cstddef>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tally.h"

namespace {

protocol::Tally jailed_tally, nop_tally;

#define ALLOW(call) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

bool lock() {
  sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          ALLOW(SYS_read),
                          ALLOW(SYS_write),
                          ALLOW(SYS_exit_group),
                          ALLOW(SYS_getpid),
                          ALLOW(SYS_brk),
                          ALLOW(SYS_getrandom),
                          ALLOW(SYS_newfstatat),
                          ALLOW(SYS_rt_sigreturn),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  const sock_fprog program{.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

extern "C" PROBED long jailed(long i) {
  SAVES_A_REGISTER();
  jailed_tally.enter();
  return jailed_tally.leave(i * 3);
}

asm(".text\n"
    ".globl jailed_nop\n"
    ".type jailed_nop, @function\n"
    "jailed_nop:\n"
    "	.cfi_startproc\n"
    "	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
    "	lea 1(%rdi), %rax\n"
    "	ret\n"
    "	.cfi_endproc\n"
    ".size jailed_nop, .-jailed_nop\n");
extern "C" long jailed_nop(long);

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  if (!lock()) return 1;
  protocol::ready();
  long results = 0;
  for (long i = 0; i < rounds; ++i) {
    results += jailed(i);
    nop_tally.enter();
    results += nop_tally.leave(jailed_nop(i));
  }
  protocol::print("jailed", jailed_tally);
  protocol::print("jailed_nop", nop_tally);
  protocol::print("results", results);
}
