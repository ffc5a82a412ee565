// The target of the measurements, and what is measured of processes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"

namespace diagnose::bench {

class Load {
 public:
  Load();
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] std::string path() const;
  double ns_per_call(long calls, const std::string& function = "hot");  // measured by the target itself
  long pace(long per_second, long milliseconds);                        // calls made

 private:
  test::Process process_;
};

// Of the function that `attached`, the answer of `attach --json`, is about; throws if it has none.
[[nodiscard]] std::uint64_t entry_offset(const nlohmann::json& attached);

[[nodiscard]] double median(std::vector<double> values);  // NaN if there are none

// The median of each round's own ratio or difference: what slows a whole round falls out.
[[nodiscard]] double median_ratio(const std::vector<double>& ours, const std::vector<double>& floors);
[[nodiscard]] double median_difference(const std::vector<double>& ours, const std::vector<double>& floors);

[[nodiscard]] double milliseconds_since(std::chrono::steady_clock::time_point start);

// VmRSS, MB (10^6 bytes).
[[nodiscard]] double resident_mb(pid_t pid);

// Context switches of all its threads so far, voluntary or not.
[[nodiscard]] long context_switches(pid_t pid);

}  // namespace diagnose::bench
