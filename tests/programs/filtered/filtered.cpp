// filtered CALL... -- COMMAND...: becomes COMMAND, with only those system calls; others fail with EPERM, as under a
// unit's SystemCallFilter= with SystemCallErrorNumber=EPERM.  Names that the kernel's headers here do not know are left
// out.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ERRNO(EPERM));
  int at = 1;
  for (; filter != nullptr && at < argc && std::strcmp(argv[at], "--") != 0; ++at) {
    const int call = ::seccomp_syscall_resolve_name(argv[at]);
    if (call >= 0) (void)::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  }
  if (filter == nullptr || at + 1 >= argc || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::seccomp_load(filter) != 0) {
    std::perror("filtered");
    return 2;
  }
  ::execvp(argv[at + 1], argv + at + 1);
  std::perror(argv[at + 1]);
  return 2;
}
