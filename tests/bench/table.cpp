#include "bench/table.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <sys/utsname.h>
#include <thread>

namespace diagnose::bench {

std::string ns(double value) {
  return value == value ? fmt::format("{:.0f} ns", value) : "-";
}

std::string ms(double value) {
  return value == value ? fmt::format("{:.1f} ms", value) : "-";
}

std::string machine() {
  std::string processor = "unknown processor";
  std::string hypervisor;
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("model name", 0) == 0) processor = line.substr(line.find(':') + 2);
    if (line.rfind("flags", 0) == 0 && line.find(" hypervisor") != std::string::npos) hypervisor = ", virtual machine";
  }
  utsname kernel{};
  ::uname(&kernel);
  return fmt::format("{}, {} cores{}, Linux {}", processor, std::thread::hardware_concurrency(), hypervisor,
                     kernel.release);
}

void print(const std::vector<Row>& rows) {
  using Line = std::array<std::string, 7>;
  std::vector<Line> lines = {{"what", "ours", "floor", "bpftrace", "compared", "reach", "verdict"}, {}};
  for (const Row& row : rows) {
    lines.push_back(
        {row.what, row.ours, row.floor, row.bpftrace, row.compared, row.reach, row.reached ? "ok" : "MISSED"});
  }
  std::array<std::size_t, 7> widths{};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (std::size_t i = 0; i < widths.size(); ++i) lines[1][i] = std::string(widths[i], '-');
  for (const Line& line : lines) {
    std::string text = "|";
    for (std::size_t i = 0; i < line.size(); ++i) text += fmt::format(" {:{}} |", line[i], widths[i]);
    std::puts(text.c_str());
  }
}

}  // namespace diagnose::bench
