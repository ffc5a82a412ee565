// The one place that makes the kernel's links: uprobe_multi where the kernel has it, perf-event uprobes before (D7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "attach/kernel.h"
#include "base/fd.h"
#include "base/result.h"
#include "target/answer.h"

namespace diagnose::attach {

class Detacher;

// Breakpoints in one file.  The lists are of one length.
struct SiteSet {
  std::vector<unsigned long> offsets;  // bytes from the start of the file
  std::vector<std::uint64_t> cookies;  // what bpf_get_attach_cookie() gives there
  // Empty, or where the file holds a counter of 2 bytes that the kernel raises while a breakpoint stands at the site
  // and lowers when it goes; 0: none.  All breakpoints at one offset must agree on it.
  std::vector<unsigned long> semaphores = {};

  void add(const target::Site& site, std::uint64_t cookie);
};

enum class LinkKind {
  plain,
  returning,  // a uretprobe: the program runs when the function that begins at the site returns
  session,    // uprobe.session: one program for both; needs Kernel::session
};

// The attach type that a program must be loaded with (bpf_attr.expected_attach_type) to be linked as `kind`.  0 where
// perf-event uprobes are used: later kernels refuse a program of uprobe_multi on those.
[[nodiscard]] std::uint32_t attach_type(const Kernel& kernel, LinkKind kind);

// Puts `program` on every site of the file `file` (borrowed for the call), or on none.  `path` is for messages.
// `process` limits the breakpoints to one process, if Kernel::scopes_to_process; else they go into every process that
// maps the file, now and later, and the program must filter and the file be leased (lease.h).
// One link for all sites with uprobe_multi, one for each site without.  Closing a link detaches and blocks (perf events
// some 90 ms each, one after another, whatever the thread): give them to a Detacher.  What a failure undoes goes to
// `detacher`.  Any thread; takes milliseconds with uprobe_multi, a fraction of one for each site without.
[[nodiscard]] Result<std::vector<Fd>> link_sites(const Kernel& kernel, Detacher& detacher, int program,
                                                 const SiteSet& sites, int file, const std::string& path,
                                                 std::optional<pid_t> process, LinkKind kind);

}  // namespace diagnose::attach
