// The daemon's series about itself and its probes (spec language §7), and the view of the probes that the HTTP thread
// may read while the loop works.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/budget.h"
#include "attach/loaded_probe.h"
#include "metrics/registry.h"

namespace diagnose::app {

struct ProbeView {
  std::string target;
  std::string state;
  std::shared_ptr<const attach::LoadedProbe> loaded;  // null once ended
  std::vector<std::uint64_t> ledger;                  // the last one, once ended
  Spending spending;
  std::optional<std::chrono::system_clock::time_point> expires;
  std::map<pid_t, bool> installed;              // processes, and whether its breakpoints stand in their memory
  std::map<std::string, std::uint64_t> errors;  // by kind
  std::uint64_t events_lost = 0;                // by slow followers and the like, beside the ledger's losses
};

// Thread-safe.
class OwnSeries {
 public:
  explicit OwnSeries(std::string version) : version_(std::move(version)) {}

  void show(const std::string& probe, ProbeView view);
  void forget(const std::string& probe);

  [[nodiscard]] std::vector<metrics::Family> families() const;
  // What `/` shows: a line per probe.
  [[nodiscard]] std::string page() const;

 private:
  std::string version_;
  mutable std::mutex mutex_;
  std::map<std::string, ProbeView> probes_;
};

// Hits and losses of a ledger's first words.
struct Tally {
  std::uint64_t hits = 0;
  std::uint64_t truncated = 0;                // texts; the events that they are of are kept
  std::map<std::string, std::uint64_t> lost;  // by reason, zeros left out
  [[nodiscard]] std::uint64_t lost_in_all() const;
};
[[nodiscard]] Tally tally(const std::vector<std::uint64_t>& ledger);

}  // namespace diagnose::app
