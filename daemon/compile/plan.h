// spec + expressions + stencils -> the programs and maps of one probe.
#pragma once

#include <cstdint>
#include <linux/bpf.h>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
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

// Everything that attach/ needs to load one probe.  Plain data.
struct Plan {
  Linked entry;                // the program for entry sites
  std::optional<Linked> exit;  // for exit sites; present when an instrument wants the return
  std::vector<MapPlan> maps;   // all but the shared ones (records, zeros)
  std::vector<InstrumentPlan> instruments;
  std::uint32_t ledger_words = 0;
  bool records = false;  // some instrument sends records
};

[[nodiscard]] Plan plan(const spec::Probe& probe, const ProbeEvaluation& evaluation, const Stencils& stencils);

}  // namespace diagnose::compile
