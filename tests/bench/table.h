// The printed table, as Markdown that reads well in a terminal.
#pragma once

#include <array>
#include <string>
#include <vector>

namespace diagnose::bench {

struct Row {
  std::string what;
  std::string ours;
  std::string floor;     // the empty program on the same site
  std::string bpftrace;  // beside us, where it is installed
  std::string compared;  // ratio or difference
  std::string reach;
  bool reached = false;
};

// As shown; "-" for NaN.
[[nodiscard]] std::string ns(double value);
[[nodiscard]] std::string ms(double value);

// The machine's name: processor, cores, kernel.
[[nodiscard]] std::string machine();

void print(const std::vector<Row>& rows);

}  // namespace diagnose::bench
