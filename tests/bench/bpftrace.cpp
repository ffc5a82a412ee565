#include "bench/bpftrace.h"

#include <chrono>
#include <cstdlib>
#include <thread>

namespace diagnose::bench {

bool have_bpftrace() {
  return std::system("command -v bpftrace >/dev/null 2>&1") == 0;
}

test::Process bpftrace(const std::string& program) {
  using namespace std::chrono_literals;
  test::Process process({"bpftrace", "-e", "BEGIN { printf(\"begun\\n\"); } " + program});
  std::string line;
  while (line != "begun") line = process.line();
  std::this_thread::sleep_for(300ms);  // BEGIN runs before the probes are in
  return process;
}

}  // namespace diagnose::bench
