#include "attach/kernel.h"

#include <array>
#include <bpf/bpf.h>
#include <cerrno>
#include <sys/utsname.h>
#include <unistd.h>

#include "attach/syscall.h"
#include "base/fd.h"

namespace diagnose::attach {
namespace {

// A uprobe_multi link on the directory "/" must be refused as EBADF/EINVAL by a kernel that knows the link type; one
// that does not refuses the program's attach type at load.  (The same trick as libbpf's feature probe.)
Result<bool> has_uprobe_multi() {
  const Fd program = load_empty_program();
  if (!program) {
    const int error = errno;
    if (error != EPERM && error != EACCES) return false;
    return failure({.what = "load a kernel program",
                    .where = "",
                    .why = "not permitted",
                    .mend = "run as root, or give CAP_BPF and CAP_PERFMON"});
  }
  const unsigned long offset = 0;
  auto link_options = sized<bpf_link_create_opts>();
  link_options.uprobe_multi.path = "/";
  link_options.uprobe_multi.offsets = &offset;
  link_options.uprobe_multi.cnt = 1;
  const Fd link(bpf_link_create(program.get(), -1, BPF_TRACE_UPROBE_MULTI, &link_options));
  return !link && errno == EBADF;
}

}  // namespace

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "unknown";
}

Result<Kernel> Kernel::detect() {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return failure({.what = "start on Linux " + kernel_release(),
                    .where = "/sys/kernel/btf/vmlinux",
                    .why = "the kernel has no BTF",
                    .mend = "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian's are), and mount /sys"});
  }
  const auto multi = has_uprobe_multi();
  if (!multi) return tl::unexpected(multi.error());
  if (!*multi) {
    return failure({.what = "start on Linux " + kernel_release(),
                    .where = "",
                    .why = "the kernel is too old: it has no uprobe_multi links",
                    .mend = "boot Linux 6.6 or later"});
  }
  return Kernel{.uprobe_multi = true};
}

}  // namespace diagnose::attach
