// Stencils: the kernel programs of bpf/, taken apart into functions with holes, constants and maps to be filled in.
//
// The design's prototype patched an expression into a run of no-ops.  Here the hole is a *call*: its function is
// replaced by the compiled one, of whatever length, so that there is no longest expression and no no-op to be verified
// away.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <linux/bpf.h>
#include <memory>
#include <optional>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "bpf/markers.h"

namespace diagnose::compile {

// The maps that a stencil names.
enum class MapRole {
  control,
  ledger,
  records,
  series,
  zeros,
  frames,
  keyed_frames,
  openers,
  sites,
  callers,
  callers_at_hand,
  processes,
  gauges
};

// One function of a stencil.  Positions are indices of instructions.
struct StencilFunction {
  struct Call {
    std::size_t at = 0;     // of the call, or of a wide load of the function's address
    int hole = 0;           // enum hole, or 0
    std::size_t local = 0;  // function of the same stencil, if no hole
  };
  struct Map {
    std::size_t at = 0;
    MapRole role = MapRole::control;
  };
  struct Constant {
    std::size_t at = 0;  // of the move that loads it
    int number = 0;      // enum constant
    bool wide = false;   // a 64-bit load of two instructions
  };
  std::vector<bpf_insn> instructions;
  std::vector<Call> calls;
  std::vector<Map> maps;
  std::vector<Constant> constants;
};

// The function wanted comes first, then those that only it calls.
struct Stencil {
  std::vector<StencilFunction> functions;
};

enum class StencilName {
  on_call,
  on_enter,
  on_enter_callers,
  on_exit,
  on_caller,
  on_unwind,
  on_thread_end,
  on_enter_keyed,
  on_enter_callers_keyed,
  on_exit_keyed,
  on_caller_keyed,
  on_unwind_keyed,
  on_thread_end_keyed,
  on_session,
  count,
  count_labelled,
  histogram,
  histogram_labelled,
  gauge_set,
  gauge_add,
  gauge_extreme,
  record,
};
inline constexpr std::size_t stencil_count = 22;

// Maps that all probes write to, of a daemon whose programs are still at work.  Borrowed for the call.
struct SharedMaps {
  int records = -1;  // -1: none
  int processes = -1;
};

// What bpf/ brings, loaded once a daemon.  Any thread; lives as long as anything compiled from it is loaded.
class Stencils {
 public:
  // Fails without BTF, without rights, or on a kernel that refuses the templates (the verifier's last lines are in
  // `why`).  With `shared`, its maps are used instead of new ones.  `session`: the attach type of uprobe.session, if
  // the kernel has it.
  [[nodiscard]] static Result<std::unique_ptr<Stencils>> load(const SharedMaps& shared = {},
                                                              std::optional<std::uint32_t> session = {});
  ~Stencils();
  Stencils(const Stencils&) = delete;
  Stencils& operator=(const Stencils&) = delete;

  // Without functions: on_session where sessions cannot be had.
  [[nodiscard]] const Stencil& get(StencilName name) const { return stencils_[static_cast<std::size_t>(name)]; }

  // Descriptors, borrowed: the shared ring, the shared zeros, the processes of all probes.
  [[nodiscard]] int records_fd() const;
  [[nodiscard]] int zeros_fd() const;
  [[nodiscard]] int processes_fd() const;

  // A type for every function of a program: the kernel takes no callbacks without.  Borrowed.
  struct FunctionType {
    int btf = -1;
    std::uint32_t id = 0;
  };
  [[nodiscard]] FunctionType function_type() const;

  // The kernel's tick count `from_now` on.  A tick is rounded up: a deadline is never early.
  [[nodiscard]] Result<std::uint64_t> jiffies_after(std::chrono::nanoseconds from_now) const;

  // Starts and ends the records of processes to come: RECORD_EXEC of all, RECORD_FORK of those that watch_children()
  // names.
  [[nodiscard]] Status follow_processes(bool follow);
  // Of process `pid`, or of every process (0).  Fails when PARENTS_MAX are watched already.
  [[nodiscard]] Status watch_children(pid_t pid, bool watched);

 private:
  struct Loaded;
  Stencils();
  Status take_apart();
  void take_session_apart(std::uint32_t attach_type);
  Status describe_functions();

  std::unique_ptr<Loaded> loaded_;
  std::array<Stencil, stencil_count> stencils_;
};

}  // namespace diagnose::compile
