// How the returns of one function are to be seen (design D4).  Pure: the facts come from target/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attach/attachment.h"
#include "spec/spec.h"
#include "target/answer.h"

namespace diagnose::app {

// What is known of the processes that will run the function.
struct Surroundings {
  std::vector<std::string> unwinds;          // why a return address must stay: "libstdc++.so.6: defines __cxa_throw"
  std::vector<std::string> switches_stacks;  // likewise
  std::string other_stacks;                  // the module that runs code on stacks of its own; empty: none is known to
  bool filter_may_kill = false;  // some process has a system call filter, and the kernel asks it about trampolines
  bool jumps = false;     // some module may jump out of functions (longjmp): out of a leaf, from a signal handler
  bool all_known = true;  // every process that will run the function is running now
  bool provable = true;   // every module could be read, and has symbols to prove it by
};

// The first that is possible of `trampoline`, `callers` and `sites`; or the one that the spec insists on.  Fails where
// that one is never right (a trampoline in Go).
[[nodiscard]] Result<attach::Return> choose_return(spec::ReturnStrategy wanted, const target::Function& function,
                                                   const Surroundings& around, bool needs_result = false);

// Some exit of it is a jump to another function, at which the result is not known yet.
[[nodiscard]] bool leaves_by_jump(const target::Function& function);

}  // namespace diagnose::app
