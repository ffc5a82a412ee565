#include "e2e/differential.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>
#include <sstream>

namespace diagnose::test {
namespace {

using nlohmann::json;

constexpr auto patience = 120s;
// Until the runtime's own places are probed, a frame that is left is found at the next event of its thread: the last
// ones of a thread are not.
constexpr bool left_frames_close_on_time = true;

Ended run_to_its_end(Program& program) {
  program.go();
  return program.finish(patience);
}

// The program's own counts of `function`.
double own(const std::map<std::string, long>& counts, const std::string& function, const char* what) {
  const auto found = counts.find(function + "." + what);
  if (found == counts.end()) {
    ADD_FAILURE() << "the program does not print " << function << "." << what;
    return -1;
  }
  return static_cast<double>(found->second);
}

// Applies the probes as a file; the answer of `status` for each.
std::map<std::string, json> applied(const Daemon& daemon, const json& probes) {
  const std::string file = daemon.folder()->file("differential.yaml");
  write_file(file, json{{"probes", probes}}.dump());
  const Ended ended = daemon.ctl({"apply", file});
  std::map<std::string, json> states;
  for (const auto& [id, probe] : probes.items()) {
    const Ended status = daemon.ctl({"status", id, "--json"});
    states[id] = status.status == 0 ? json::parse(status.out) : json{{"state", "refused"}, {"why", ended.err}};
  }
  return states;
}

void expect_numbers(const Subject& subject, const std::string& function, const std::string& strategy, Measure measure,
                    const Counted& is, const std::map<std::string, long>& counts) {
  const double calls = own(counts, function, "calls");
  const double returns = own(counts, function, "returns");
  const double errors = own(counts, function, "errors");
  const double inside = own(counts, function, "inside");
  const auto unknown = is.lost.find("unknown_caller");
  const double hidden = unknown == is.lost.end() ? 0 : unknown->second;
  EXPECT_TRUE(hidden == 0 || strategy != "sites") << is.text();
  EXPECT_LE(hidden, subject.hidden_callers) << is.text();
  if (measure == Measure::calls) {
    EXPECT_EQ(is.calls, calls) << is.text();
    EXPECT_EQ(is.lost_in_all(), 0) << is.text();
    return;
  }
  // Whatever was not seen was counted as lost, for a reason that is meant here.
  const double lost = is.lost_in_all();
  EXPECT_EQ(lost, hidden + inside) << is.text();
  if (measure == Measure::times) {
    EXPECT_LE(is.times, returns) << is.text();
    EXPECT_GE(is.times, returns - hidden) << is.text();
  } else if (measure == Measure::ends) {
    EXPECT_EQ(is.calls, calls) << is.text();
    EXPECT_EQ(is.calls, is.returns + is.errors + lost) << is.text();
    EXPECT_GE(is.returns, returns - hidden) << is.text();
    EXPECT_EQ(is.ends, is.returns + is.errors) << is.text();
    EXPECT_LE(is.returns, returns) << is.text();
    EXPECT_LE(is.errors, errors) << is.text();
  }
}

json instruments(Measure measure) {
  switch (measure) {
    case Measure::calls:
      return json::array({{{"type", "counter"}, {"name", "calls"}, {"event", "call"}}});
    case Measure::times:
      return json::array({{{"type", "histogram"}, {"name", "times"}, {"value", "elapsed"}}});
    case Measure::ends:
      return json::array({{{"type", "counter"}, {"name", "calls"}, {"event", "call"}},
                          {{"type", "counter"}, {"name", "returns"}, {"event", "return"}},
                          {{"type", "counter"}, {"name", "errors"}, {"event", "error"}},
                          {{"type", "counter"}, {"name", "ends"}, {"event", "end"}}});
    case Measure::records:
      return json::array({{{"type", "log"}, {"message", "took {elapsed}"}, {"event", "end"}}});
  }
  return {};
}

}  // namespace

const char* text(Measure measure) {
  switch (measure) {
    case Measure::calls:
      return "calls";
    case Measure::times:
      return "times";
    case Measure::ends:
      return "ends";
    case Measure::records:
      return "records";
  }
  return "";
}

const std::vector<std::string>& strategies() {
  static const std::vector<std::string> all = {"auto", "callers", "sites"};
  return all;
}

double Counted::lost_in_all() const {
  return std::accumulate(lost.begin(), lost.end(), 0.0, [](double sum, const auto& one) { return sum + one.second; });
}

std::string Counted::text() const {
  std::string all =
      fmt::format("calls {} returns {} errors {} ends {} times {} lost", calls, returns, errors, ends, times);
  for (const auto& [reason, count] : lost) all += fmt::format(" {}: {}", reason, count);
  return all;
}

Counted counted(const Metrics& metrics, const std::string& probe) {
  const Labels own_labels = {{"probe", probe}};
  Counted is{.calls = metrics.value("calls_total", own_labels).value_or(0),
             .returns = metrics.value("returns_total", own_labels).value_or(0),
             .errors = metrics.value("errors_total", own_labels).value_or(0),
             .ends = metrics.value("ends_total", own_labels).value_or(0),
             .times = metrics.value("times_seconds_count", own_labels).value_or(0),
             .lost = {}};
  for (const Series& series : metrics.find("diagnose_events_lost_total", own_labels)) {
    if (series.value > 0) is.lost[series.labels.at("reason")] = series.value;
  }
  return is;
}

json differential_probe(const Subject& subject, const std::string& function, const std::string& strategy,
                        Measure measure, pid_t pid) {
  json target = {{"function", function}};
  if (!subject.copies) target["inline"] = false;
  if (subject.by_exe) {
    target["exe"] = program_path(subject.command.at(0));
  } else {
    target["pid"] = pid;
  }
  if (!subject.module.empty()) target["module"] = subject.module;
  return {{"target", target}, {"return", strategy}, {"lifespan", "10m"}, {"instruments", instruments(measure)}};
}

Ended without_probes(const Subject& subject) {
  Program program(subject.command);
  return run_to_its_end(program);
}

void expect_the_same(Daemon& daemon, const Subject& subject, const Ended& without, const std::string& strategy,
                     Measure measure) {
  SCOPED_TRACE(fmt::format("return: {}, {}", strategy, text(measure)));
  std::optional<Program> program;
  if (!subject.by_exe) program.emplace(subject.command);
  json probes = json::object();
  for (std::size_t at = 0; at < subject.functions.size(); ++at) {
    probes[fmt::format("f{}-{}-{}", at, strategy, text(measure))] =
        differential_probe(subject, subject.functions[at], strategy, measure, program ? program->pid() : 0);
  }
  const auto states = applied(daemon, probes);
  for (const auto& [id, status] : states) EXPECT_EQ(status.at("state"), "armed") << status;
  if (!program) program.emplace(subject.command);
  const Ended with = run_to_its_end(*program);
  EXPECT_EQ(with.out, without.out);
  EXPECT_EQ(with.err, without.err);
  EXPECT_EQ(with.status, without.status);
  const Metrics metrics = daemon.metrics();
  const auto counts = counts_in(with.out);
  for (std::size_t at = 0; at < subject.functions.size() && subject.own_numbers; ++at) {
    const std::string id = fmt::format("f{}-{}-{}", at, strategy, text(measure));
    SCOPED_TRACE(subject.functions[at] + " " + daemon.ctl({"status", id, "--json"}).out);
    expect_numbers(subject, subject.functions[at], strategy, measure, counted(metrics, id), counts);
  }
  EXPECT_EQ(daemon.ctl({"detach", "--all"}).status, 0);
}

void expect_the_same_under_every_probe(const Subject& subject) {
  const Ended without = without_probes(subject);
  Daemon daemon;
  const auto links = links_of(daemon.pid());
  std::vector<std::string> all = strategies();
  if (subject.trampoline_is_safe) all.emplace_back("trampoline");
  for (const std::string& strategy : all) {
    for (const Measure measure : {Measure::calls, Measure::times, Measure::ends, Measure::records}) {
      expect_the_same(daemon, subject, without, strategy, measure);
    }
  }
  EXPECT_TRUE(eventually([&] { return links_of(daemon.pid()) == links; })) << "links are left behind every probe";
  EXPECT_EQ(daemon.terminate().status, 0);
}

}  // namespace diagnose::test
