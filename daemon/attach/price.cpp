#include "attach/price.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <unistd.h>
#include <vector>

#include "attach/own_probes.h"

// Functions whose first instruction is of each class; nothing else calls them.
extern "C" {
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_optimised() {
  asm volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_emulated() {
  asm volatile("push %rbp; pop %rbp; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_run_0() {
  asm volatile("push %rbp; pop %rbp; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_run_1() {
  asm volatile("push %rbp; pop %rbp; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_run_2() {
  asm volatile("push %rbp; pop %rbp; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_return() {
  asm volatile("push %rbp; pop %rbp; ret");
}
[[gnu::naked, gnu::noinline, gnu::used]] static void diagnose_price_stepped() {
  asm volatile("endbr64; ret");
}
}

namespace diagnose::attach {
namespace {

using Steady = std::chrono::steady_clock;

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

double price_of(OwnProbes& own, void (*function)(), int calls) {
  return own.probe(function, ::getpid(), LinkKind::plain) ? nanoseconds_a_call(function, calls) : 0;
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

Prices measure_prices(const Kernel& kernel, Detacher& detacher) {
  Prices prices;
  OwnProbes own(kernel, detacher);
  if (!own.ready()) return prices;
  prices.optimised_ns = price_of(own, diagnose_price_optimised, 200);
  prices.emulated_ns = price_of(own, diagnose_price_emulated, 200);
  prices.stepped_ns = price_of(own, diagnose_price_stepped, 50);
  // In a child: a system call filter that the daemon inherited may kill whoever returns through a trampoline (hazard
  // 8).
  const auto both = own.in_child(diagnose_price_return, LinkKind::returning,
                                 [] { return nanoseconds_a_call(diagnose_price_return, 200); });
  if (both) prices.trampoline_ns = std::max(0.0, *both - prices.emulated_ns);
  return prices;
}

double measure_run_ns(const Kernel& kernel, Detacher& detacher, const Prices& prices, const std::vector<int>& programs,
                      std::size_t number) {
  constexpr std::array<void (*)(), run_measurements> functions = {diagnose_price_run_0, diagnose_price_run_1,
                                                                  diagnose_price_run_2};
  OwnProbes own(kernel, detacher);
  if (!own.ready() || prices.emulated_ns == 0 || number >= functions.size()) return 0;
  bool attached = true;
  for (const int program : programs) {
    attached = attached && own.probe(functions.at(number), ::getpid(), LinkKind::plain, program);
  }
  const double all = attached ? nanoseconds_a_call(functions.at(number), 200) : 0;
  return std::max(0.0, all - prices.emulated_ns);
}

}  // namespace diagnose::attach
