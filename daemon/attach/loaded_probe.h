// A probe's maps and programs, loaded into the kernel.  Links are made from it (attachment.h) and die before it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "attach/kernel.h"
#include "base/fd.h"
#include "base/result.h"
#include "bpf/contract.h"
#include "compile/plan.h"

namespace diagnose::attach {

// One series as the kernel has it; sums over CPUs already made, a gauge's value already decoded.
struct SeriesWords {
  std::vector<std::byte> key;  // empty without labels
  std::vector<std::uint64_t> words;
};

struct InstrumentWords {
  std::vector<SeriesWords> series;
  std::vector<std::uint64_t> other;  // `__other__`; empty for instruments without labels and for gauges
};

// Reading is safe from any thread; everything else is the loop's.
class LoadedProbe {
 public:
  // Loads disabled: nothing is measured before enable().  `number` goes into every record.
  // Fails with the verifier's last words if it refuses a program: a defect of ours.
  // `stencils` must outlive the result.
  [[nodiscard]] static Result<std::shared_ptr<LoadedProbe>> load(const Kernel& kernel, const compile::Plan& plan,
                                                                 const compile::Stencils& stencils,
                                                                 std::uint32_t number, const std::string& id);

  // What of it goes to another daemon.
  template <typename Descriptor>
  struct Handles {
    std::vector<Descriptor> maps;                             // in the order of Plan::maps
    std::array<Descriptor, compile::program_roles> programs;  // by role; none where the plan has none
    std::uint32_t sites = 0;                                  // described so far
    std::set<std::uint64_t> admitted;                         // keys in the map `processes`
  };
  // Takes over one that another daemon has loaded by the same plan, as it stands.  `stencils` were loaded with that
  // daemon's shared maps.
  [[nodiscard]] static Result<std::shared_ptr<LoadedProbe>> take_over(const compile::Plan& plan,
                                                                      const compile::Stencils& stencils,
                                                                      Handles<Fd> handles);
  // For another daemon, which shares them from here on: our end takes nothing back.  Descriptors are borrowed.
  [[nodiscard]] Handles<int> leave();

  ~LoadedProbe();
  LoadedProbe(const LoadedProbe&) = delete;
  LoadedProbe& operator=(const LoadedProbe&) = delete;

  // Measures for `time` from now (nullopt: without end) and for `hits` calls more.  Again: the same, counted from now;
  // calls that are open stay open.
  [[nodiscard]] Status enable(const compile::Stencils& stencils, std::optional<std::chrono::nanoseconds> time,
                              std::optional<std::uint64_t> hits);
  // Stops the work at once; the breakpoints stay until the links go.
  void disable();
  // Of a probe with `N hits`: calls still admitted, and calls still to end.
  [[nodiscard]] std::int64_t hits_left() const;
  [[nodiscard]] std::int64_t ends_left() const;

  // Words of the ledger, summed over CPUs: enum ledger_word.
  [[nodiscard]] Result<std::vector<std::uint64_t>> ledger() const;
  [[nodiscard]] Result<InstrumentWords> read(std::size_t instrument) const;

  // Gives what stands in a cookie's bits 32..63 for `site` (contract.h), the same for equal ones; fails when the map is
  // full.
  [[nodiscard]] Result<std::uint64_t> add_site(const site& site);

  // There is a breakpoint behind the call with this key (contract.h, `callers`).
  [[nodiscard]] Status know_caller(std::uint64_t key);
  // From now on calls from unknown callers are lost (LOSS_CALLER), as nobody watches the exits; or no longer.
  void callers_only(bool only);
  // Measures only in the processes that were admitted so (ids of the initial pid namespace).
  [[nodiscard]] Status admit_process(pid_t process);
  void dismiss_process(pid_t process);

  [[nodiscard]] int program(compile::ProgramRole role) const;  // -1: none

 private:
  struct Map {
    compile::MapPlan plan;
    Fd fd;
  };
  LoadedProbe() = default;
  [[nodiscard]] Status make_maps(const compile::Plan& plan);
  [[nodiscard]] Status load_programs(const Kernel& kernel, const compile::Plan& plan, const compile::Stencils& stencils,
                                     const std::string& id);
  [[nodiscard]] Result<Fd> load_program(const compile::Linked& linked, const compile::Stencils& stencils,
                                        const std::string& id, compile::ProgramRole role, std::uint32_t attach_type,
                                        std::uint32_t flags) const;
  [[nodiscard]] const Map* find(compile::MapRole role, int instrument = -1) const;
  [[nodiscard]] Status map_control();
  [[nodiscard]] Status begin_control(std::uint32_t number, std::uint64_t records_per_second);
  [[nodiscard]] Status recall_sites(std::uint32_t count);
  [[nodiscard]] Result<InstrumentWords> read_series(const Map& map, const compile::InstrumentPlan& plan) const;
  [[nodiscard]] Result<InstrumentWords> read_gauges(const Map& map, const compile::InstrumentPlan& plan) const;

  std::vector<compile::InstrumentPlan> instruments_;
  std::vector<Map> maps_;
  ::control* control_ =
      nullptr;  // the kernel's own element: programs change it too, so each word is touched atomically
  std::map<std::string, std::uint64_t> cookies_;  // by the site's bytes
  int processes_ = -1;                            // shared by all probes; borrowed
  std::set<std::uint64_t> admitted_;              // this probe's keys there
  std::array<Fd, compile::program_roles> programs_;
};

}  // namespace diagnose::attach
