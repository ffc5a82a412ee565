// The kernel's grip on one file: the links of one probe there.  All sites of a call hold, or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "attach/detacher.h"
#include "attach/kernel.h"
#include "attach/loaded_probe.h"
#include "base/fd.h"
#include "base/result.h"
#include "target/resolver.h"

namespace diagnose::attach {

// How the returns of a function are seen (design D4).
enum class Strategy { none, trampoline, callers, sites };
[[nodiscard]] const char* text(Strategy strategy);

struct Return {
  Strategy strategy = Strategy::none;
  std::string why;
  std::uint16_t number = 0;  // of the function in its probe: part of the keys of its callers
  // Of a trampoline: nothing but a return leaves the function, so that a session will do where the probe has one.
  bool only_returns = false;
  bool jumps = false;  // the function may be left by a jump, and so be entered again in its own frame
};

struct Attachment {
  dev_t device = 0;
  ino_t inode = 0;
  std::optional<pid_t> process;    // nullopt: every process that maps the file, now and later
  std::shared_ptr<Fd> file;        // the very file, held open while probed
  std::vector<std::string> notes;  // functions left out, with the reason
  std::vector<Fd> links;           // closing them detaches, and blocks for RCU: give them to a Detacher
  // Of the exits of functions whose callers are still being learnt: let go at the hand-over.
  std::vector<Fd> learning;
};

// How a module's functions are probed; borrowed, each empty or with one element a function.
struct Ways {
  std::span<const Return> returns;       // ignored by a probe that wants no return
  std::span<const std::uint16_t> forms;  // numbers (compile/forms.h), of a probe that wants no return; empty: all 0
};

// Puts breakpoints on the sites of `module`'s functions, in one process or in all.  Sites behind callers are
// attach_sites()'s matter; with `exits_of_callers` the exits of functions by callers are probed as well.  Loop thread
// only; takes milliseconds. Errors name the process and the reason; nothing stays behind, though `detacher` may still
// be taking away what was undone.
[[nodiscard]] Result<Attachment> attach(const Kernel& kernel, Detacher& detacher, LoadedProbe& probe,
                                        const target::Module& module, const Ways& ways, std::optional<pid_t> process,
                                        bool exits_of_callers);

// The exits of the functions whose numbers are in `numbers`, alone.
[[nodiscard]] Result<std::vector<Fd>> attach_exits(const Kernel& kernel, Detacher& detacher, LoadedProbe& probe,
                                                   const target::Module& module, std::span<const Return> returns,
                                                   std::span<const std::uint16_t> numbers,
                                                   std::optional<pid_t> process);

// Sites of one kind in one file: behind calls (ProgramRole::caller) or of a runtime (ProgramRole::unwind).
[[nodiscard]] Result<std::vector<Fd>> attach_sites(const Kernel& kernel, Detacher& detacher, LoadedProbe& probe,
                                                   compile::ProgramRole role, std::span<const target::Site> sites,
                                                   const Fd& file, const std::string& path,
                                                   std::optional<pid_t> process);

// Sees every thread of the host end, for frames that are still open then.
[[nodiscard]] Result<Fd> attach_thread_end(const LoadedProbe& probe);

// The key under which the entry program looks up a caller.  Both addresses as the process has them, or both as the one
// file has them that holds function and caller.
[[nodiscard]] constexpr std::uint64_t caller_key(std::uint64_t return_address, std::uint64_t entry_address,
                                                 std::uint16_t number) {
  constexpr unsigned address_bits = 48;
  constexpr std::uint64_t mask = (std::uint64_t{1} << address_bits) - 1;
  return ((return_address - entry_address) & mask) | (std::uint64_t{number} << address_bits);
}

}  // namespace diagnose::attach
