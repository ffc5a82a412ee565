#include "attach/price.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "attach/detacher.h"
#include "attach/link.h"
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

// What a price is measured with: programs that do nothing, put into this executable.
struct Scale {
  const Kernel& kernel;
  Detacher& detacher;
  Fd executable;
  Fd program;
  std::vector<Fd> links;

  bool probe(void (*function)(), pid_t process, LinkKind kind) { return probe(function, process, kind, program.get()); }

  bool probe(void (*function)(), pid_t process, LinkKind kind, int with) {
    const auto offset = offset_in_executable(reinterpret_cast<std::uintptr_t>(function));
    if (!offset) return false;
    const SiteSet site{.offsets = {*offset}, .cookies = {0}};
    auto made = link_sites(kernel, detacher, with, site, executable.get(), "this program", process, kind);
    if (!made) return false;
    for (Fd& link : *made) links.push_back(std::move(link));
    return true;
  }

  double price_of(void (*function)(), int calls) {
    return probe(function, ::getpid(), LinkKind::plain) ? nanoseconds_a_call(function, calls) : 0;
  }

  double price_of_return();
};

// In a child: a system call filter that the daemon inherited may kill whoever returns through a trampoline (hazard 8).
double Scale::price_of_return() {
  std::array<int, 2> go{};
  std::array<int, 2> told{};
  if (::pipe2(go.data(), O_CLOEXEC) != 0) return 0;
  Fd go_read(go[0]);
  Fd go_write(go[1]);
  if (::pipe2(told.data(), O_CLOEXEC) != 0) return 0;
  const Fd told_read(told[0]);
  Fd told_write(told[1]);
  const pid_t child = ::fork();
  if (child < 0) return 0;
  double price = 0;
  if (child == 0) {
    go_write.reset();
    char word = 0;
    if (::read(go_read.get(), &word, 1) != 1) ::_exit(1);
    ::prctl(PR_SET_DUMPABLE, 0);  // no core file of it
    for (const int fatal : {SIGILL, SIGSEGV, SIGSYS}) ::signal(fatal, SIG_DFL);
    price = nanoseconds_a_call(diagnose_price_return, 200);
    ::_exit(::write(told_write.get(), &price, sizeof(price)) == sizeof(price) ? 0 : 1);
  }
  told_write.reset();
  if (probe(diagnose_price_return, child, LinkKind::returning)) {
    if (::write(go_write.get(), "", 1) != 1 || ::read(told_read.get(), &price, sizeof(price)) != sizeof(price))
      price = 0;
  }
  go_write.reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
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

Prices measure_prices(const Kernel& kernel, Detacher& detacher) {
  Prices prices;
  Scale scale{.kernel = kernel,
              .detacher = detacher,
              .executable = Fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)),
              .program = load_empty_program(attach_type(kernel, LinkKind::plain)),
              .links = {}};
  if (!scale.executable || !scale.program) return prices;
  prices.optimised_ns = scale.price_of(diagnose_price_optimised, 200);
  prices.emulated_ns = scale.price_of(diagnose_price_emulated, 200);
  prices.stepped_ns = scale.price_of(diagnose_price_stepped, 50);
  if (const double both = scale.price_of_return(); both != 0) {
    prices.trampoline_ns = std::max(0.0, both - prices.emulated_ns);
  }
  detacher.detach(std::move(scale.links), [] {});
  return prices;
}

double measure_run_ns(const Kernel& kernel, Detacher& detacher, const Prices& prices, const std::vector<int>& programs,
                      std::size_t number) {
  constexpr std::array<void (*)(), run_measurements> functions = {diagnose_price_run_0, diagnose_price_run_1,
                                                                  diagnose_price_run_2};
  Scale scale{.kernel = kernel,
              .detacher = detacher,
              .executable = Fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)),
              .program = Fd(),
              .links = {}};
  if (!scale.executable || prices.emulated_ns == 0 || number >= functions.size()) return 0;
  bool attached = true;
  for (const int program : programs) {
    attached = attached && scale.probe(functions.at(number), ::getpid(), LinkKind::plain, program);
  }
  const double all = attached ? nanoseconds_a_call(functions.at(number), 200) : 0;
  detacher.detach(std::move(scale.links), [] {});
  return std::max(0.0, all - prices.emulated_ns);
}

}  // namespace diagnose::attach
