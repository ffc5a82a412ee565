// Whether the kernel lets the system call of a return trampoline past a process's filter (hazard 8), found out on a
// child of our own.
#pragma once

#include "attach/kernel.h"

namespace diagnose::attach {

class Detacher;

// Probes the return of a function in a child that may not make that call (uretprobe(2), 335) on pain of death.  Kernels
// that make it, from 6.11 on, let it past since 6.14 and 6.12.15 (commit cf6cb56ef244); those before make none.  False
// where it could not be tried.  Takes some milliseconds.  Main thread, before others start: it forks.
[[nodiscard]] bool trampolines_pass_filters(const Kernel& kernel, Detacher& detacher);

}  // namespace diagnose::attach
