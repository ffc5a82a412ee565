// A probe's maps and programs, loaded into the kernel.  Links are made from it (attachment.h) and die before it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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
  [[nodiscard]] static Result<std::shared_ptr<LoadedProbe>> load(const compile::Plan& plan,
                                                                 const compile::Stencils& stencils,
                                                                 std::uint32_t number, const std::string& id);

  // Measures for `time` from now (nullopt: without end) and for `hits` calls more.
  [[nodiscard]] Status enable(const compile::Stencils& stencils, std::optional<std::chrono::nanoseconds> time,
                              std::optional<std::uint64_t> hits);
  // Stops the work at once; the breakpoints stay until the links go.
  [[nodiscard]] Status disable();
  [[nodiscard]] Result<::control> read_control() const;

  // Words of the ledger, summed over CPUs: enum ledger_word.
  [[nodiscard]] Result<std::vector<std::uint64_t>> ledger() const;
  [[nodiscard]] Result<InstrumentWords> read(std::size_t instrument) const;

  // Gives the cookie of an exit that needs a struct site; fails when the map is full.
  [[nodiscard]] Result<std::uint64_t> add_site(const site& site);

  [[nodiscard]] int entry_program() const { return entry_.get(); }
  [[nodiscard]] int exit_program() const { return exit_.get(); }  // -1 if the probe wants no return

 private:
  struct Map {
    compile::MapPlan plan;
    Fd fd;
  };
  LoadedProbe() = default;
  [[nodiscard]] Status make_maps(const compile::Plan& plan);
  [[nodiscard]] Result<Fd> load_program(const compile::Linked& linked, const compile::Stencils& stencils,
                                        const std::string& id, const char* phase) const;
  [[nodiscard]] const Map* find(compile::MapRole role, int instrument = -1) const;
  [[nodiscard]] Status write_control();
  [[nodiscard]] Result<InstrumentWords> read_series(const Map& map, const compile::InstrumentPlan& plan) const;
  [[nodiscard]] Result<InstrumentWords> read_gauges(const Map& map, const compile::InstrumentPlan& plan) const;

  std::vector<compile::InstrumentPlan> instruments_;
  std::vector<Map> maps_;
  ::control control_{};
  std::uint32_t sites_used_ = 0;
  Fd entry_;
  Fd exit_;
};

}  // namespace diagnose::attach
