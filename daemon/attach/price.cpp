#include "attach/price.h"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include "attach/detacher.h"
#include "attach/syscall.h"
#include "base/fd.h"

// Functions whose first instruction is of each class; nothing else calls them.
extern "C" {
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_optimised() {
  asm volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_emulated() {
  asm volatile("push %rbp; pop %rbp; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_stepped() {
  asm volatile("endbr64; ret");
}
}

namespace diagnose::attach {
namespace {

using Steady = std::chrono::steady_clock;

// Where in /proc/self/exe `address` lies, from the maps line that covers it.
std::optional<unsigned long> offset_in_executable(std::uintptr_t address) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long low = 0;
    unsigned long high = 0;
    unsigned long offset = 0;
    std::array<char, 8> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx", &low, &high, rights.data(), &offset) != 4) continue;
    if (address >= low && address < high) return address - low + offset;
  }
  return std::nullopt;
}

// The best of a few rounds: the price is the kernel's, not the scheduler's.
double nanoseconds_a_call(void (*function)(), int calls) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 5; ++round) {
    const auto begin = Steady::now();
    for (int call = 0; call < calls; ++call) function();
    const std::chrono::duration<double, std::nano> spent = Steady::now() - begin;
    best = std::min(best, spent.count() / calls);
  }
  return best;
}

double price_of(void (*function)(), int program, int calls, std::vector<Fd>& links) {
  const auto offset = offset_in_executable(reinterpret_cast<std::uintptr_t>(function));
  if (!offset) return 0;
  const unsigned long at = *offset;
  auto options = sized<bpf_link_create_opts>();
  options.uprobe_multi.path = "/proc/self/exe";
  options.uprobe_multi.offsets = &at;
  options.uprobe_multi.cnt = 1;
  options.uprobe_multi.pid = static_cast<std::uint32_t>(::getpid());
  Fd link(bpf_link_create(program, -1, BPF_TRACE_UPROBE_MULTI, &options));
  if (!link) return 0;
  const double price = nanoseconds_a_call(function, calls);
  links.push_back(std::move(link));
  return price;
}

}  // namespace

double Prices::of(target::Cost cost) const {
  switch (cost) {
    case target::Cost::optimised:
      return optimised_ns;
    case target::Cost::emulated:
      return emulated_ns;
    case target::Cost::stepped:
      return stepped_ns;
  }
  return stepped_ns;
}

Prices measure_prices(Detacher& detacher) {
  Prices prices;
  const Fd program = load_empty_program();
  if (!program) return prices;
  std::vector<Fd> links;
  prices.optimised_ns = price_of(diagnose_price_optimised, program.get(), 200, links);
  prices.emulated_ns = price_of(diagnose_price_emulated, program.get(), 200, links);
  prices.stepped_ns = price_of(diagnose_price_stepped, program.get(), 50, links);
  detacher.detach(std::move(links), [] {});
  return prices;
}

}  // namespace diagnose::attach
