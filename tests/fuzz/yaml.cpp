// Any text as a spec file, and as the daemon's settings.
#include <string>

#include "fuzz/fuzz.h"
#include "spec/read.h"

using namespace diagnose;

void fuzz(std::string_view input) {
  const spec::Document document = spec::read(input, "fuzz.yaml", {});
  for (const spec::Fault& fault : document.faults) REQUIRE(!fault.text().empty() && fault.place.line >= 0);
  for (const spec::Probe& probe : document.probes) {
    REQUIRE(!probe.instruments.empty() && probe.instruments.size() <= limits::instruments_per_probe);
    // What is kept for a restart must be read back as good.
    const std::string kept = nlohmann::json{{"probes", {{probe.id, probe.written}}}}.dump();
    const spec::Document again = spec::read(kept, "kept.json", probe.lastmodified);
    REQUIRE(again.probes.size() == 1 && again.faults.empty());
  }
}
