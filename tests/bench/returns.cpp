#include "bench/returns.h"

#include <chrono>
#include <fmt/format.h>
#include <stdexcept>
#include <thread>

#include "bench/bpftrace.h"
#include "bench/floor.h"

namespace diagnose::bench {
namespace {

using nlohmann::json;
using test::Daemon;
using namespace std::chrono_literals;

constexpr int rounds = 25;
constexpr int bpftrace_rounds = 3;
constexpr long calls = 40'000;
constexpr long stepped_calls = 5'000;  // each takes 30 times as long here

// What one row measures.
struct Case {
  std::string what;
  std::string function;
  std::string type;      // of the instrument
  std::string strategy;  // `return:`; empty for a probe without
  double most_ratio;     // of the floor
  double rival_ratio;    // of bpftrace's at `rival`; 0: none promised
  std::string rival;     // the function it is measured at; empty: the same
};

std::string strategy_of(const Daemon& daemon) {
  return daemon.json({"status", "bench"}).at("return").at("strategy");
}

// Attached, callers learnt and the exits let go.
json attached(const Daemon& daemon, Load& load, const Case& of) {
  test::Command command = {"attach",    "--pid",    std::to_string(load.pid()),
                           of.function, "--id",     "bench",
                           "--type",    of.type,    "--name",
                           "bench",     "--return", of.strategy.empty() ? "auto" : of.strategy};
  daemon.json(command);
  if (strategy_of(daemon) == "callers") {
    const bool handed_over = test::eventually([&] {
      load.ns_per_call(2000, of.function);
      return daemon.json({"status", "bench"}).at("return").at("exits") == "not probed";
    });
    if (!handed_over) throw std::runtime_error(of.function + ": the exits are not let go");
    std::this_thread::sleep_for(200ms);
  }
  return daemon.json({"status", "bench"});
}

std::vector<unsigned long> offsets_of(const json& status) {
  std::vector<unsigned long> offsets;
  for (const json& site : status.at("sites")) {
    offsets.push_back(std::stoul(site.at("offset").get<std::string>(), nullptr, 16));
  }
  return offsets;
}

double bpftrace_ns(Load& load, const Case& of) {
  const std::string function = of.rival.empty() ? of.function : of.rival;
  const std::string place = load.path() + ":" + function;
  const std::string program = of.type == "counter" ? "uprobe:" + place + " { @ = count(); }"
                                                   : "uprobe:" + place + " { @s[tid] = nsecs; } uretprobe:" + place +
                                                         " /@s[tid]/ { @ = hist(nsecs - @s[tid]); delete(@s[tid]); }";
  std::vector<double> times;
  for (int round = 0; round < bpftrace_rounds; ++round) {
    const test::Process running = bpftrace(program);
    times.push_back(load.ns_per_call(stepped_calls, function));
  }
  return median(times);
}

Row row_of(const Daemon& daemon, Load& load, const Case& of) {
  std::vector<double> ours;
  std::vector<double> floors;
  std::string strategy;
  Floor floor;
  const long count = of.strategy == "sites" ? stepped_calls : calls;
  for (int round = 0; round < rounds; ++round) {
    const json status = attached(daemon, load, of);
    strategy = status.at("return").at("strategy");
    ours.push_back(load.ns_per_call(count, of.function));
    daemon.json({"detach", "bench"});
    const bool trampoline = strategy == "trampoline";
    floor.attach(load.pid(), load.path(), offsets_of(status), trampoline);
    floors.push_back(load.ns_per_call(count, of.function));
    floor.detach();
  }
  const double own = median(ours);
  const double lowest = median(floors);
  const double ratio = median_ratio(ours, floors);
  const double theirs = of.rival_ratio > 0 && have_bpftrace() ? bpftrace_ns(load, of) : 0;
  Row row{of.what + (strategy == "none" ? "" : ", " + strategy),
          ns(own),
          ns(lowest),
          theirs > 0 ? ns(theirs) : "-",
          fmt::format("{:.2f} x", ratio),
          fmt::format("{} x", of.most_ratio),
          ratio <= of.most_ratio && (of.strategy.empty() || strategy == of.strategy)};
  if (theirs > 0) {
    row.compared += fmt::format(", {:.2f} x bpftrace", own / theirs);
    row.reach += fmt::format(", {} x bpftrace", of.rival_ratio);
    row.reached = row.reached && own <= of.rival_ratio * theirs;
  }
  return row;
}

}  // namespace

std::vector<Row> entry_rows(const Daemon& daemon, Load& load) {
  std::vector<Row> rows;
  for (const Case& of : std::vector<Case>{{"counter on `endbr64; push`", "hot_endbr64", "counter", "", 1.05, 0.1, ""},
                                          {"counter on `test; js`", "hot_test", "counter", "", 1.05, 0.1, ""},
                                          {"counter on `sub rsp; call`", "hot_sub", "counter", "", 1.05, 0.1, ""}}) {
    rows.push_back(row_of(daemon, load, of));
  }
  return rows;
}

std::vector<Row> return_rows(const Daemon& daemon, Load& load) {
  std::vector<Row> rows;
  for (const Case& of :
       std::vector<Case>{{"elapsed of a leaf", "hot", "histogram", "trampoline", 1.2, 1, ""},
                         {"elapsed, may throw, 1 caller", "risky", "histogram", "callers", 1.15, 1.25, ""},
                         {"elapsed, may throw, 5 callers", "risky_five", "histogram", "callers", 1.15, 1.25, ""},
                         {"elapsed, may throw, 100 callers", "risky_hundred", "histogram", "callers", 1.15, 1.25, ""},
                         {"elapsed, virtual call", "Square::area", "histogram", "callers", 1.15, 1.25, "risky"},
                         {"elapsed on `endbr64`, may throw", "risky_endbr64", "histogram", "callers", 1.15, 0.1, ""},
                         {"elapsed by the exits", "risky", "histogram", "sites", 1.1, 0, ""}}) {
    rows.push_back(row_of(daemon, load, of));
  }
  return rows;
}

}  // namespace diagnose::bench
