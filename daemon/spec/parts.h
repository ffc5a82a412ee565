// The readers of a spec's parts.  Each adds every fault of its part to `faults` and returns what it could read; after a
// fault the result is not usable, and the probe is dropped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/fields.h"
#include "spec/spec.h"

namespace diagnose::spec {

[[nodiscard]] Probe read_probe(const std::string& id, const Node& key, const Node& node,
                               lifespan::Clock::time_point lastmodified, Faults& faults);

[[nodiscard]] Target read_target(const Node& node, Faults& faults);

// `MODULE:FUNCTION`: split at the first single colon, `::` never splits.  nullopt: none.
struct Halves {
  std::string module;
  std::string function;
  std::size_t function_at = 0;  // offset in the text
};
[[nodiscard]] std::optional<Halves> split_target(std::string_view text);

[[nodiscard]] std::vector<Instrument> read_instruments(const Node& probe_key, const Fields& probe, Faults& faults);
[[nodiscard]] Instrument read_instrument(const Node& node, Faults& faults);

// What only some types of instrument have, and what they need.
void check_instrument(const Node& node, const Fields& fields, const Instrument& instrument, Faults& faults);
// Names that would meet in one series.
void check_names(const std::vector<Instrument>& instruments, Faults& faults);

// A metric's name from what was written: dots become underscores, a counter's `_total` goes.
[[nodiscard]] std::optional<std::string> metric_name(const Node& node, InstrumentType type, Faults& faults);
// Labels ordered by name, as Prometheus shows them and as a restart reads them back.
[[nodiscard]] std::vector<Label> read_labels(const Node& node, Faults& faults);
// True, or a fault: a Prometheus label name that is not one of ours.
bool check_label_name(const Node& key, std::string_view noun, Faults& faults);

[[nodiscard]] std::optional<Buckets> read_buckets(const Node& node, Faults& faults);
[[nodiscard]] std::optional<Message> read_message(const Node& node, Faults& faults);

}  // namespace diagnose::spec
