// spec + expressions + stencils -> the programs and maps of one probe.
#pragma once

#include <cstdint>
#include <linux/bpf.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "bpf/contract.h"
#include "compile/evaluation.h"
#include "compile/link.h"
#include "compile/stencil.h"
#include "spec/spec.h"

namespace diagnose::compile {

struct MapPlan {
  MapRole role = MapRole::control;
  int instrument = -1;
  bpf_map_type type = BPF_MAP_TYPE_ARRAY;
  std::uint32_t key_bytes = 4;
  std::uint32_t value_bytes = 8;
  std::uint32_t entries = 1;
  std::uint32_t flags = 0;
};

struct InstrumentPlan {
  StencilName stencil = StencilName::count;
  std::uint32_t base =
      0;  // first word in the ledger: the value, or `__other__` of a labelled one; 0 for records, gauges
  std::uint32_t words = 0;         // of one series
  std::uint64_t gauge_mask = 0;    // gauge_extreme: stored = value ^ mask
  std::uint32_t record_bytes = 0;  // header and payload, for records
};

// Under what an open call is kept.
enum class FrameKey {
  thread,     // on the thread's stack
  stack,      // where stacks are switched: the CFA in the process
  goroutine,  // in Go: the goroutine, and the distance from the end of its stack
};

// How ends of calls are to be seen, in all processes of the probe together.
struct Returns {
  FrameKey frames = FrameKey::thread;
  bool callers = false;     // at some callers: `caller`, and an entry that looks callers up
  bool trampoline = false;  // by some trampolines: `caller`
  bool session = false;     // by trampolines of functions that are left by returns alone: `session`, if it can be had
  std::uint32_t frames_max = FRAMES_PER_THREAD;  // open calls of a thread, 1 to FRAMES_PER_THREAD
};

// What a program is attached to.
enum class ProgramRole {
  entry,       // entries
  exit,        // exits and tails
  caller,      // sites behind calls; uretprobes, with CALLER_ANY
  unwind,      // places of the runtime where frames are left
  thread_end,  // the raw tracepoint sched_process_exit (and sched_process_exec, whose thread leaves its frames too)
  session,     // an uprobe session
};
inline constexpr std::size_t program_roles = 6;
[[nodiscard]] std::string_view name_of(ProgramRole role);  // as a name of the kernel may be

// Everything that attach/ needs to load one probe.  Plain data.
struct Plan {
  Linked entry;
  // Present when an instrument wants the end of calls: `exit` always, `unwind` and `thread_end` but for goroutines,
  // `caller` as asked for, `session` too where the kernel has it and nothing of the call is kept but its time.
  std::optional<Linked> exit, caller, unwind, thread_end, session;
  std::vector<MapPlan> maps;  // all but the shared ones (records, zeros, processes)
  std::vector<InstrumentPlan> instruments;
  std::uint32_t ledger_words = 0;
  bool records = false;    // some instrument sends records
  bool may_sleep = false;  // programs at breakpoints are loaded as sleepable ones
  std::uint64_t records_per_second = limits::records_per_second;

  [[nodiscard]] const Linked* program(ProgramRole role) const;  // nullptr: none
};

[[nodiscard]] Plan plan(const spec::Probe& probe, const ProbeEvaluation& evaluation, const Stencils& stencils,
                        const Returns& returns = {});

}  // namespace diagnose::compile
