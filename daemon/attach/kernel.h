// What this kernel can do for us (design §4).
#pragma once

#include "base/result.h"

namespace diagnose::attach {

struct Kernel {
  bool uprobe_multi = false;  // BPF_TRACE_UPROBE_MULTI links, 6.6 (kernel commit 89ae89f53d20)

  // Fails on a kernel that cannot run Diagnose at all, saying what is missing.  Needs CAP_BPF and CAP_PERFMON.
  [[nodiscard]] static Result<Kernel> detect();
};

// "6.18.44-..." as uname tells it.
[[nodiscard]] std::string kernel_release();

}  // namespace diagnose::attach
