#include "bench/load.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

namespace diagnose::bench {
namespace {

// The sum of the numbers behind `key` in a /proc status file.
long field(const std::filesystem::path& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(key, 0) == 0) return std::stol(line.substr(key.size()));
  }
  return 0;
}

}  // namespace

Load::Load() : process_({test::program_path("bench_target")}) {
  process_.line();
}

std::string Load::path() const {
  return test::program_path("bench_target");
}

double Load::ns_per_call(long calls, const std::string& function) {
  process_.write("run " + std::to_string(calls) + " " + function + "\n");
  return std::stod(process_.line());
}

long Load::pace(long per_second, long milliseconds) {
  process_.write("pace " + std::to_string(per_second) + " " + std::to_string(milliseconds) + "\n");
  return std::stol(process_.line(std::chrono::milliseconds(milliseconds) + std::chrono::seconds(20)));
}

std::uint64_t entry_offset(const nlohmann::json& attached) {
  for (const nlohmann::json& site : attached.at("sites")) {
    if (site.at("kind") == "entry") return std::stoull(site.at("offset").get<std::string>(), nullptr, 16);
  }
  throw std::runtime_error("no entry among the sites");
}

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double median_ratio(const std::vector<double>& ours, const std::vector<double>& floors) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < std::min(ours.size(), floors.size()); ++round) {
    ratios.push_back(ours[round] / floors[round]);
  }
  return median(ratios);
}

double median_difference(const std::vector<double>& ours, const std::vector<double>& floors) {
  std::vector<double> differences;
  for (std::size_t round = 0; round < std::min(ours.size(), floors.size()); ++round) {
    differences.push_back(ours[round] - floors[round]);
  }
  return median(differences);
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double resident_mb(pid_t pid) {
  return static_cast<double>(field("/proc/" + std::to_string(pid) + "/status", "VmRSS:")) * 1024 / 1e6;
}

long context_switches(pid_t pid) {
  long switches = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    switches += field(task.path() / "status", "voluntary_ctxt_switches:");
    switches += field(task.path() / "status", "nonvoluntary_ctxt_switches:");
  }
  return switches;
}

}  // namespace diagnose::bench
