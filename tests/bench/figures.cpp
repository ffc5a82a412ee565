// ./dev bench: the figures that the project promises, measured on this machine.  Ratios and differences are of one run:
// rounds go through all candidates in turn, and the medians are compared.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <set>
#include <stdexcept>
#include <thread>

#include "bench/bpftrace.h"
#include "bench/floor.h"
#include "bench/load.h"
#include "bench/names.h"
#include "bench/returns.h"
#include "bench/table.h"
#include "support/daemon.h"

namespace diagnose::bench {
namespace {

using nlohmann::json;
using test::Command;
using test::Daemon;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int rounds = 25;
constexpr int bpftrace_rounds = 5;
constexpr long calls = 100'000;  // of one measurement; a burst of records of this size fits into the ring

// One kind of probe, ours and bpftrace's words for the same.
struct Candidate {
  std::string what;
  Command arguments;
  std::string bpftrace;
  double most_ratio;     // of the floor; 0: none promised
  double most_extra_ns;  // over the floor; 0: none promised
  std::vector<double> ours = {};
  std::vector<double> theirs = {};
};

Command attach_hot(const Load& load, const Command& more) {
  Command command = {"attach", "--pid", std::to_string(load.pid()), "hot", "--id", "bench"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

void measure_hits(const Daemon& daemon, Load& load, std::vector<Candidate>& candidates, std::vector<double>& floor_ns) {
  Floor floor;
  std::uint64_t site = 0;
  for (int round = 0; round < rounds; ++round) {
    for (Candidate& candidate : candidates) {
      const json attached = daemon.json(attach_hot(load, candidate.arguments));
      site = entry_offset(attached);
      candidate.ours.push_back(load.ns_per_call(calls));
      daemon.json({"detach", "bench"});
    }
    floor.attach(load.pid(), load.path(), site);
    floor_ns.push_back(load.ns_per_call(calls));
    floor.detach();
  }
  if (!have_bpftrace()) return;
  for (int round = 0; round < bpftrace_rounds; ++round) {
    for (Candidate& candidate : candidates) {
      const std::string probe = "uprobe:" + load.path() + ":hot ";
      const test::Process running = bpftrace(probe + candidate.bpftrace);
      candidate.theirs.push_back(load.ns_per_call(calls));
    }
  }
}

std::vector<Row> hit_rows(const Daemon& daemon, Load& load) {
  std::vector<Candidate> candidates = {
      {"counter on a `push` entry", {"--type", "counter", "--name", "bench"}, "{ @ = count(); }", 1.05, 0},
      {"counter with one integer label",
       {"--type", "counter", "--name", "bench", "--label", "k=arg0 % 4"},
       "{ @[arg0 % 4] = count(); }",
       0,
       80},
      {"histogram of `arg0`",
       {"--type", "histogram", "--name", "bench", "--value", "arg0"},
       "{ @ = hist(arg0); }",
       0,
       40},
      {"log record of two integers, drained",
       {"--type", "log", "--value", "arg0", "--label", "k=arg1"},
       "{ printf(\"%d %d\\n\", arg0, arg1); }",
       0,
       150}};
  std::vector<double> floor_ns;
  measure_hits(daemon, load, candidates, floor_ns);
  const double floor = median(floor_ns);
  std::vector<Row> rows;
  for (const Candidate& candidate : candidates) {
    const double ours = median(candidate.ours);
    Row row{candidate.what, ns(ours), ns(floor), ns(median(candidate.theirs)), "", "", false};
    if (candidate.most_ratio > 0) {
      const double ratio = median_ratio(candidate.ours, floor_ns);
      row.compared = fmt::format("{:.3f} x", ratio);
      row.reach = fmt::format("{} x", candidate.most_ratio);
      row.reached = ratio <= candidate.most_ratio;
    } else {
      const double extra = median_difference(candidate.ours, floor_ns);
      row.compared = fmt::format("{:+.0f} ns", extra);
      row.reach = fmt::format("+{} ns", candidate.most_extra_ns);
      row.reached = extra <= candidate.most_extra_ns;
    }
    rows.push_back(row);
  }
  return rows;
}

Row records_row(const Daemon& daemon, Load& load) {
  daemon.json(attach_hot(load, {"--type", "log", "--value", "arg0", "--label", "k=arg1"}));
  const long made = load.pace(200'000, 3000);
  const test::Metrics metrics = daemon.metrics();
  const double hits = metrics.sum("diagnose_probe_hits_total", {{"probe", "bench"}});
  const double lost = metrics.sum("diagnose_events_lost_total", {{"probe", "bench"}});
  daemon.json({"detach", "bench"});
  const bool complete = static_cast<long>(hits) == made;
  return {"records lost at 200,000/s, 3 s",
          fmt::format("{:.0f} of {}", lost, made),
          "-",
          "-",
          complete ? "every call seen" : fmt::format("{:.0f} seen", hits),
          "0",
          lost == 0 && complete};
}

// From the start of bpftrace to its first event, on a function that is called all the time.
double bpftrace_start_ms(Load& load) {
  std::vector<double> times;
  for (int i = 0; i < bpftrace_rounds; ++i) {
    std::thread caller([&] { load.pace(10'000, 3000); });
    const auto start = Clock::now();
    test::Process process({"bpftrace", "-e", "uprobe:" + load.path() + ":hot { printf(\"first\\n\"); exit(); }"});
    while (process.line() != "first") {
    }
    times.push_back(milliseconds_since(start));
    caller.join();
  }
  return median(times);
}

Row attach_row(const Daemon& daemon, Load& load) {
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    const auto start = Clock::now();
    const auto ended = daemon.ctl(attach_hot(load, {"--type", "counter", "--name", "bench"}));
    times.push_back(milliseconds_since(start));
    if (ended.status != 0) throw std::runtime_error(ended.err);
    daemon.json({"detach", "bench"});
  }
  const double ours = median(times);
  const double theirs = have_bpftrace() ? bpftrace_start_ms(load) : 0;
  return {"`diagnosectl attach`, start to armed",
          ms(ours),
          "-",
          theirs > 0 ? ms(theirs) : "-",
          theirs > 0 ? fmt::format("1/{:.1f}", theirs / ours) : "-",
          "60 ms, 1/5",
          ours <= 60 && (theirs == 0 || ours * 5 <= theirs)};
}

Row glob_row(const Daemon& daemon) {
  const test::Program many({"many"});
  std::vector<double> times;
  std::size_t links = 0;
  std::size_t sites = 0;
  for (int i = 0; i < 5; ++i) {
    const std::size_t before = test::links_of(daemon.pid()).size();
    const auto start = Clock::now();
    const json attached = daemon.json({"attach", "--pid", std::to_string(many.pid()), "many_*", "--type", "counter",
                                       "--name", "many", "--id", "bench-many"});
    times.push_back(milliseconds_since(start));
    sites = attached.at("sites").size();
    links = test::links_of(daemon.pid()).size() - before;
    daemon.json({"detach", "bench-many"});
  }
  return {fmt::format("glob over {} functions", sites),
          ms(median(times)),
          "-",
          "-",
          fmt::format("{} link{}", links, links == 1 ? "" : "s"),
          "250 ms, 1 link",
          median(times) <= 250 && links == 1 && sites == 2000};
}

// Asks the daemon for its list, again and again, until it goes.
class Asking {
 public:
  explicit Asking(const Daemon& daemon) : client_(daemon.socket()), thread_([this] { ask(); }) {}
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  ~Asking() { stop(); }

  // The longest that an answer took, ms.
  double stop() {
    enough_ = true;
    if (thread_.joinable()) thread_.join();
    return longest_;
  }

 private:
  void ask() {
    do {
      const auto asked = Clock::now();
      client_.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n");
      longest_ = client_.line() ? std::max(longest_, milliseconds_since(asked)) : never;
    } while (!enough_ && longest_ != never);
  }

  static constexpr double never = 1e6;
  test::UnixClient client_;
  std::atomic<bool> enough_ = false;
  double longest_ = 0;
  std::thread thread_;  // the last: it uses the others
};

// In a process that calls all of them all the while.
std::vector<Row> crowd_rows(const Daemon& daemon) {
  test::Program crowd({"crowd"});
  crowd.go();
  std::vector<double> attaching;
  std::vector<double> answers;  // the longest of each round, while the breakpoints go
  std::size_t sites = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    const json attached = daemon.json({"attach", "--pid", std::to_string(crowd.pid()), "crowd_*", "--type", "counter",
                                       "--name", "crowd", "--id", "bench-crowd"});
    attaching.push_back(milliseconds_since(start));
    sites = attached.at("sites").size();
    const std::set<std::uint32_t> links = test::links_of(daemon.pid());
    Asking asking(daemon);
    daemon.json({"detach", "bench-crowd"});
    while (test::still_there(links) > 0) std::this_thread::sleep_for(10ms);
    answers.push_back(asking.stop());
  }
  crowd.enough();
  return {{fmt::format("attach {} sites in a busy process", sites), ms(median(attaching)), "-", "-", "-", "200 ms",
           median(attaching) <= 200 && sites == 5000},
          {"the daemon's longest answer while they go", ms(median(answers)), "-", "-", "-", "50 ms",
           median(answers) <= 50}};
}

std::vector<Row> idle_rows() {
  const test::Program many({"many"});
  std::string text = "probes:\n";
  for (int i = 0; i < 100; ++i) {
    text += fmt::format(
        "  idle-{0}:\n    target: {{pid: {1}, function: many_{0:04}}}\n"
        "    instrument: {{type: counter, name: idle_{0}, labels: {{k: arg0 % 4}}}}\n    lifespan: 1h\n",
        i, many.pid());
  }
  const Daemon daemon({.specs = {{"hundred.yaml", text}}});
  const bool armed = test::eventually(
      [&] {
        int count = 0;
        const json list = daemon.json({"list"});
        for (const json& probe : list.at("probes")) count += probe.at("state") == "armed" ? 1 : 0;
        return count == 100;
      },
      60s);
  if (!armed) throw std::runtime_error("the hundred probes do not get armed");
  std::this_thread::sleep_for(2s);
  const double resident = resident_mb(daemon.pid());
  const long before = context_switches(daemon.pid());
  std::this_thread::sleep_for(10s);
  const double switches = static_cast<double>(context_switches(daemon.pid()) - before) / 10;
  return {
      {"daemon's RSS with 100 probes", fmt::format("{:.1f} MB", resident), "-", "-", "-", "30 MB", resident <= 30},
      {"context switches, idle, 100 probes", fmt::format("{:.1f}/s", switches), "-", "-", "-", "1/s", switches <= 1}};
}

Row scrape_row(Load& load) {
  std::string text =
      fmt::format("probes:\n  wide:\n    target: {{pid: {}, function: hot}}\n    instruments:\n", load.pid());
  for (int i = 0; i < 10; ++i) {
    text += fmt::format("      - {{type: counter, name: wide_{}, labels: {{k: arg0 % 1000}}}}\n", i);
  }
  const Daemon daemon({.specs = {{"wide.yaml", text}}});
  if (!test::eventually([&] { return daemon.state_of("wide") == "armed"; })) {
    throw std::runtime_error("the probe of 10,000 series does not get armed");
  }
  load.ns_per_call(5000);
  std::size_t series = 0;
  for (int i = 0; i < 10; ++i) series += daemon.metrics().find(fmt::format("wide_{}_total", i)).size();
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    const auto start = Clock::now();
    if (!test::http_get(daemon.port(), "/metrics")) throw std::runtime_error("the scrape failed");
    times.push_back(milliseconds_since(start));
  }
  return {fmt::format("scrape of {} series", series), ms(median(times)), "-", "-", "-", "20 ms",
          median(times) <= 20 && series >= 10'000};
}

// The parts of the table; all of them, or those named.
class Parts {
 public:
  explicit Parts(std::set<std::string> wanted) : wanted_(std::move(wanted)) {}

  // A figure that could not be measured is a row too.
  template <typename Measure>
  void add(const char* what, Measure rows_of) {
    if (!wanted_.empty() && wanted_.count(what) == 0) return;
    std::fprintf(stderr, "bench: %s ...\n", what);
    try {
      for (const Row& row : rows_of()) rows_.push_back(row);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench: %s: %s\n", what, error.what());
      rows_.push_back({what, "not measured", "-", "-", "-", "-", false});
    }
  }

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

 private:
  std::set<std::string> wanted_;
  std::vector<Row> rows_;
};

}  // namespace
}  // namespace diagnose::bench

// bench_figures [PART...]
int main(int argc, char** argv) {
  using namespace diagnose::bench;
  Parts parts({argv + 1, argv + argc});
  try {
    Load load;
    const diagnose::test::Daemon daemon;
    parts.add("hits", [&] { return hit_rows(daemon, load); });
    parts.add("entries", [&] { return entry_rows(daemon, load); });
    parts.add("returns", [&] { return return_rows(daemon, load); });
    parts.add("names", [&] { return name_rows(daemon, load); });
    parts.add("large", [&] { return large_rows(); });
    parts.add("records", [&] { return std::vector{records_row(daemon, load)}; });
    parts.add("attach", [&] { return std::vector{attach_row(daemon, load)}; });
    parts.add("glob", [&] { return std::vector{glob_row(daemon)}; });
    parts.add("crowd", [&] { return crowd_rows(daemon); });
    parts.add("idle", [&] { return idle_rows(); });
    parts.add("scrape", [&] { return std::vector{scrape_row(load)}; });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
  std::printf("\nMeasured on: %s\n\n", machine().c_str());
  print(parts.rows());
}
