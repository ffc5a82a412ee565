// How much of real programs' code has a cheap place for a breakpoint (design D6): entries, exits, and behind calls, as
// the daemon itself would choose them.
#include "target/placement.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "target/code.h"
#include "target/elf_image.h"
#include "target/elf_reader.h"
#include "target/function_map.h"

namespace {

using namespace diagnose;
using target::SiteKind;

// Arguments in registers (System V ABI 3.2.3): rdi, rsi, rdx, rcx, r8, r9.
constexpr std::uint16_t arguments = 1U << 7U | 1U << 6U | 1U << 2U | 1U << 1U | 1U << 8U | 1U << 9U;
constexpr std::size_t functions_max = 1'000'000;

struct Share {
  std::size_t of = 0;
  std::size_t all = 0;
  void add(bool is) {
    of += is ? 1 : 0;
    all += 1;
  }
  [[nodiscard]] double percent() const {
    return all == 0 ? 0 : 100.0 * static_cast<double>(of) / static_cast<double>(all);
  }
};

struct Row {
  const char* name;
  std::vector<std::string> paths;     // the first that exists
  std::vector<std::string> patterns;  // a reading takes no more than 32 MiB of code, so large files are read in parts
  double reach;                       // percent of functions with a cheap entry; 0: none set
};

bool is_cheap(const target::Site& site) {
  return site.cost != target::Cost::stepped;
}

struct Functions {
  Share first;    // the first instruction is cheap
  Share entries;  // a counter's
  Share keeping;  // an entry that keeps all arguments
  Share exits;
  Share leaves;
  double seconds = 0;  // of the counter's reading
};

std::optional<target::FileAnswer> read(const std::string& path, const std::string& pattern, bool exits,
                                       std::uint16_t registers) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto answer = target::make_elf_reader()->read({.fd = file.get(),
                                                 .name = path,
                                                 .function = pattern,
                                                 .build_id = {},
                                                 .exits = exits,
                                                 .entry_registers = registers,
                                                 .entry_memory = false,
                                                 .exit_memory = false,
                                                 .functions_max = functions_max});
  if (answer) return std::move(*answer);
  std::fprintf(stderr, "%s\n", answer.error().text().c_str());
  return std::nullopt;
}

void measure(const std::string& path, const std::string& pattern, Functions& found) {
  const auto start = std::chrono::steady_clock::now();
  const auto counted = read(path, pattern, false, 0);
  found.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (counted) {
    for (const auto& function : counted->functions) {
      const target::Site& entry = function.sites.front();
      found.entries.add(is_cheap(entry));
      found.first.add(is_cheap(entry) && entry.address == function.body.low);
    }
  }
  if (const auto kept = read(path, pattern, false, arguments)) {
    for (const auto& function : kept->functions) found.keeping.add(is_cheap(function.sites.front()));
  }
  if (const auto left = read(path, pattern, true, 0)) {
    for (const auto& function : left->functions) {
      found.leaves.add(function.leaf);
      for (const auto& site : function.sites) {
        if (site.kind != SiteKind::entry) found.exits.add(is_cheap(site));
      }
    }
  }
}

struct Calls {
  Share cheap;   // with a cheap place behind them
  Share result;  // with a cheap place where the result is still known
};

void measure_calls(target::Decoder& decoder, const target::Body& body, Calls& found) {
  for (std::size_t i = 0; i + 1 < body.boundaries.size(); ++i) {
    const auto instruction = decoder.decode(body.from(body.boundaries[i]), body.boundaries[i]);
    if (!instruction || instruction->flow != target::Flow::call) continue;
    const LinkAddress behind = body.boundaries[i + 1];
    const auto cheap = [&](bool needs_result) {
      std::string why;
      const auto place =
          target::place_behind_call(decoder, body.from(behind), behind, body.jump_targets, needs_result, false, why);
      return place && target::cost(place->instruction, false) != target::Cost::stepped;
    };
    found.cheap.add(cheap(false));
    found.result.add(cheap(true));
  }
}

Calls calls_of(const std::string& path) {
  constexpr std::size_t calls_max = 400'000;
  Calls found;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = target::ElfImage::open(file.get(), path);
  auto decoder = target::Decoder::make();
  if (!image || !decoder) return found;
  std::set<std::uint64_t> seen;
  for (const target::Symbol& symbol : image->symbols()) {
    if (image->refusal(symbol) || !seen.insert(raw(symbol.address)).second) continue;
    const target::Range range{symbol.address, LinkAddress{raw(symbol.address) + symbol.size}};
    const auto body = target::decode_body(*image, *decoder, {range, symbol.name});
    if (body && body->in_step) measure_calls(*decoder, *body, found);
    if (found.cheap.all > calls_max) break;
  }
  return found;
}

void print(const Row& row) {
  const auto path = std::find_if(row.paths.begin(), row.paths.end(),
                                 [](const std::string& candidate) { return std::filesystem::exists(candidate); });
  if (path == row.paths.end()) {
    std::printf("%-12s skipped: not on this machine\n", row.name);
    return;
  }
  Functions functions;
  for (const std::string& pattern : row.patterns) measure(*path, pattern, functions);
  const Calls calls = calls_of(*path);
  std::printf("%-12s %9zu %9.1f %9.1f %6.0f %10.1f %8.1f %8.1f %9zu %8.1f %9.1f %8.2f\n", row.name,
              functions.entries.all, functions.first.percent(), functions.entries.percent(), row.reach,
              functions.keeping.percent(), functions.exits.percent(), functions.leaves.percent(), calls.cheap.all,
              calls.cheap.percent(), calls.result.percent(), functions.seconds);
  std::fflush(stdout);
}

}  // namespace

int main() {
  const std::string libraries = "/usr/lib/x86_64-linux-gnu/";
  const std::vector<Row> rows = {
      {"libc", {libraries + "libc.so.6"}, {"*"}, 75},
      {"libstdc++", {libraries + "libstdc++.so.6"}, {"*"}, 50},
      {"redis-server", {"/usr/bin/redis-check-rdb", "/usr/bin/redis-server"}, {"*"}, 60},
      {"libLLVM",
       {libraries + "libLLVM-14.so.1", libraries + "libLLVM-15.so.1"},
       {"re:ELLVM[A-K]", "LLVM*", "re:^_ZN4llvm1[0-2][A-F]", "re:^_ZN4llvm1[3-9][A-G]"},
       70},
      {"node", {libraries + "libnode.so.108", "/usr/bin/node"}, {"re:^_ZN4node", "re:^_ZN2v88internal[0-9]+[A-F]"}, 70},
  };
  std::printf("%-12s %9s %9s %9s %6s %10s %8s %8s %9s %8s %9s %8s\n", "percent of", "functions", "at +0", "entries",
              "reach", "keep args", "exits", "leaves", "calls", "behind", "+ result", "seconds");
  for (const Row& row : rows) print(row);
  std::printf("reach for `behind`: 90\n");
}
