#include "app/strategy.h"

#include <algorithm>

namespace diagnose::app {
namespace {

using attach::Return;
using attach::Strategy;

constexpr const char* filter_kills = "a process has a seccomp filter, which may kill it for a trampoline's system call";

// Unwinds a thread from wherever it is, in the middle of a leaf too.
bool cancels(const Surroundings& around) {
  return std::any_of(around.unwinds.begin(), around.unwinds.end(), [](const std::string& reason) {
    return reason.find("pthread_cancel") != std::string::npos || reason.find("setcanceltype") != std::string::npos;
  });
}

// Not even a handler of signals leaves a leaf in its middle.
bool only_returns(const target::Function& function, const Surroundings& around) {
  return function.leaf && around.provable && around.all_known && !around.jumps && !cancels(around);
}

bool exits_are_cheap(const target::Function& function) {
  return function.exits_error.empty() &&
         std::all_of(function.sites.begin(), function.sites.end(), [](const target::Site& site) {
           return site.kind == target::SiteKind::entry || site.cost != target::Cost::stepped;
         });
}

// Where the kernel would find the return address: at the entry's breakpoint.
bool stands_on_return_address(const target::Function& function) {
  const target::Site& entry = function.sites.front();
  return entry.cfa_register == target::register_sp && entry.cfa_offset == 8 && !entry.cfa_indirect && !entry.unless;
}

// Why a trampoline is not proved safe, or nothing.
std::string trampoline_objection(const target::Function& function, const Surroundings& around) {
  if (function.go) return "Go moves stacks";
  if (around.filter_may_kill) return filter_kills;
  if (function.reads_return_address) return "the function may look at its own return address";
  if (!stands_on_return_address(function)) return "the entry's breakpoint does not stand where the return address is";
  if (function.leaf && !cancels(around)) return "";
  if (!around.unwinds.empty()) return around.unwinds.front();
  if (!around.switches_stacks.empty()) return around.switches_stacks.front();
  if (!around.provable) return "not every module could be proved to leave the stack alone";
  if (!around.all_known) return "processes to come may bring modules that unwind the stack";
  return "";
}

Return by_sites(std::string why) {
  return {.strategy = Strategy::sites, .why = std::move(why), .number = 0};
}

Return automatic(const target::Function& function, const Surroundings& around, bool needs_result) {
  if (function.go) return by_sites("Go moves stacks: every exit of the function is probed");
  const std::string objection = trampoline_objection(function, around);
  if (objection.empty()) {
    return {.strategy = Strategy::trampoline,
            .why = function.leaf ? "a leaf: nothing unwinds through it"
                                 : "no module of the process unwinds the stack, switches it, or looks at it",
            .number = 0,
            .only_returns = only_returns(function, around)};
  }
  if (exits_are_cheap(function) && !(needs_result && leaves_by_jump(function))) {
    return by_sites("no trampoline (" + objection + "); every exit is as cheap as a caller");
  }
  if (!around.other_stacks.empty() && around.jumps) {
    return by_sites(
        "no trampoline (" + objection +
        "), and where stacks are switched what a longjmp leaves could not be told from a return at a caller");
  }
  if (!around.provable) {
    return by_sites("no trampoline (" + objection + "), and an exception could not be told from a return at a caller");
  }
  return {.strategy = Strategy::callers, .why = "no trampoline: " + objection, .number = 0};
}

}  // namespace

bool leaves_by_jump(const target::Function& function) {
  return std::any_of(function.sites.begin(), function.sites.end(),
                     [](const target::Site& site) { return site.kind == target::SiteKind::tail; });
}

Result<Return> choose_return(spec::ReturnStrategy wanted, const target::Function& function, const Surroundings& around,
                             bool needs_result) {
  const auto refused = [&](const char* strategy, const std::string& why) {
    return failure({.what = std::string("see the returns of `") + function.name + "` by `" + strategy + "`",
                    .where = "",
                    .why = why,
                    .mend = "write `return: auto` or `return: sites`"});
  };
  switch (wanted) {
    case spec::ReturnStrategy::automatic:
      return automatic(function, around, needs_result);
    case spec::ReturnStrategy::sites:
      return by_sites("the spec says so");
    case spec::ReturnStrategy::callers:
      if (function.go) return refused("callers", "Go moves stacks, and with them the return addresses");
      return Return{.strategy = Strategy::callers, .why = "the spec says so", .number = 0};
    case spec::ReturnStrategy::trampoline:
      break;
  }
  // What would break the program for certain is refused; what is only not proved is the user's word.
  if (function.go) return refused("trampoline", "Go moves stacks: the program would crash");
  if (!stands_on_return_address(function)) {
    return refused("trampoline", "no breakpoint can stand where the return address is");
  }
  if (around.filter_may_kill) return refused("trampoline", filter_kills);
  if (function.leaf) {
    return Return{.strategy = Strategy::trampoline,
                  .why = "the spec says so",
                  .number = 0,
                  .only_returns = only_returns(function, around)};
  }
  const std::string objection = trampoline_objection(function, around);
  return Return{.strategy = Strategy::trampoline,
                .why = "the spec says so" + (objection.empty() ? "" : ", though it is not proved safe: " + objection),
                .number = 0};
}

}  // namespace diagnose::app
