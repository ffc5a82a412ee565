// Breakpoints in this very executable, by which the host's kernel is timed and tried.
#pragma once

#include <optional>
#include <sys/types.h>
#include <vector>

#include "attach/kernel.h"
#include "attach/link.h"
#include "base/fd.h"

namespace diagnose::attach {

class Detacher;

// Main thread, before others start where in_child() is used: it forks.  Borrows both; when it goes its links go through
// the detacher.
class OwnProbes {
 public:
  OwnProbes(const Kernel& kernel, Detacher& detacher);
  OwnProbes(const OwnProbes&) = delete;
  OwnProbes& operator=(const OwnProbes&) = delete;
  ~OwnProbes();

  // Can anything be probed at all?
  [[nodiscard]] bool ready() const;

  // Puts `program`, or one that does nothing, on the first instruction of `function` in `process`.
  [[nodiscard]] bool probe(void (*function)(), pid_t process, LinkKind kind);
  [[nodiscard]] bool probe(void (*function)(), pid_t process, LinkKind kind, int program);

  // Runs `measure` in a child in which `function` is probed; nothing if the child does not live to tell.
  [[nodiscard]] std::optional<double> in_child(void (*function)(), LinkKind kind, double (*measure)());

 private:
  const Kernel& kernel_;
  Detacher& detacher_;
  Fd executable_;
  Fd program_;
  std::vector<Fd> links_;
};

}  // namespace diagnose::attach
