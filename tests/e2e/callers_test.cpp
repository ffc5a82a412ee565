// Returns seen behind the calls: callers found in the code, learnt, handed over to, and met too late.
#include <cstdio>
#include <gtest/gtest.h>

#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;

struct Totals {
  long calls = 0;
  long returns = 0;
  long throws = 0;
};

class Steps {
 public:
  Steps() : process_({program_path("steps")}) { process_.line(); }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  Totals step(const std::string& what) {
    process_.write(what + "\n");
    Totals totals;
    const std::string line = process_.line();
    if (std::sscanf(line.c_str(), "calls=%ld returns=%ld throws=%ld", &totals.calls, &totals.returns, &totals.throws) !=
        3) {
      throw std::runtime_error("not a line of totals: " + line);
    }
    return totals;
  }
  Ended finish() { return process_.finish(); }

 private:
  Process process_;
};

std::string spec(pid_t pid, const std::string& function, const std::string& strategy = "callers") {
  return "probes:\n  steps:\n    target: {pid: " + std::to_string(pid) + ", function: \"" + function +
         "\"}\n    return: " + strategy +
         "\n    lifespan: 1h\n    instruments:\n"
         "      - {type: counter, name: calls}\n"
         "      - {type: counter, name: returns, event: return}\n"
         "      - {type: counter, name: errors, event: error}\n"
         "      - {type: histogram, name: took, value: elapsed, event: end}\n";
}

struct Seen {
  long calls = 0;
  long returns = 0;
  long errors = 0;
  long ends = 0;
  long lost = 0;
};

Seen seen(const Daemon& daemon) {
  const Metrics metrics = daemon.metrics();
  const auto value = [&](const std::string& name) {
    return static_cast<long>(metrics.value(name, {{"probe", "steps"}}).value_or(0));
  };
  return {.calls = value("calls_total"),
          .returns = value("returns_total"),
          .errors = value("errors_total"),
          .ends = value("took_seconds_count"),
          .lost = static_cast<long>(metrics.sum("diagnose_events_lost_total", {{"probe", "steps"}}))};
}

json return_of(const Daemon& daemon) {
  return daemon.json({"status", "steps"}).at("return");
}

bool exits_go(const Daemon& daemon) {
  return eventually([&] { return return_of(daemon).value("exits", "") == "not probed"; });
}

void expect_exact(const Daemon& daemon, const Totals& made) {
  const Seen now = seen(daemon);
  EXPECT_EQ(now.calls, made.calls);
  EXPECT_EQ(now.returns, made.returns);
  EXPECT_EQ(now.errors, made.throws);
  EXPECT_EQ(now.ends, made.returns + made.throws);
  EXPECT_EQ(now.lost, 0);
}

TEST(Callers, ThoseFoundInTheCodeAreProbedAndTheExitsAreLetGo) {
  Steps steps;
  const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "risky")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }))
      << daemon.json({"status", "steps"}).dump(1);
  EXPECT_EQ(return_of(daemon).at("strategy"), "callers");
  EXPECT_GE(return_of(daemon).at("callers").at("known"), 5);
  Totals made = steps.step("places 1400");
  expect_exact(daemon, made);
  ASSERT_TRUE(exits_go(daemon));
  made = steps.step("places 7000");
  made = steps.step("direct 700");
  expect_exact(daemon, made);
  int callers = 0;
  const json status = daemon.json({"status", "steps"});
  for (const json& site : status.at("sites")) {
    EXPECT_NE(site.at("kind"), "exit");
    if (site.at("kind") == "caller") {
      ++callers;
      EXPECT_EQ(site.at("cost"), "emulated");
    }
  }
  EXPECT_GE(callers, 5);
  EXPECT_EQ(steps.finish().status, 0);
}

TEST(Callers, AVirtualCallIsLearntWhileTheExitsAreStillProbed) {
  Steps steps;
  const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "Square::area")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }));
  Totals made = steps.step("virtual 1");
  ASSERT_TRUE(eventually([&] { return return_of(daemon).at("callers").at("learnt") >= 1; }));
  steps.step("virtual 1500");
  ASSERT_TRUE(exits_go(daemon));
  made = steps.step("virtual 10000");
  expect_exact(daemon, made);
}

TEST(Callers, OneThatIsMetAfterTheHandOverIsCountedAsLostAndThenKnown) {
  Steps steps;
  const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "Square::area")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }));
  steps.step("virtual 1");
  ASSERT_TRUE(eventually([&] { return return_of(daemon).at("callers").at("known") >= 1; }));
  steps.step("virtual 1500");
  ASSERT_TRUE(exits_go(daemon));
  const Totals first = steps.step("elsewhere 1");
  EXPECT_EQ(seen(daemon).calls, first.calls);
  EXPECT_EQ(seen(daemon).lost, 1);
  EXPECT_EQ(daemon.json({"status", "steps"}).at("lost").value("unknown_caller", 0), 1);
  ASSERT_TRUE(eventually([&] { return return_of(daemon).at("callers").at("known") >= 2; }));
  const Totals all = steps.step("elsewhere 5000");
  EXPECT_EQ(seen(daemon).returns, all.calls - 1);
  EXPECT_EQ(seen(daemon).lost, 1);
}

TEST(Callers, AFunctionThatIsHardlyCalledKeepsItsExits) {
  Steps steps;
  const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "Square::area")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }));
  steps.step("virtual 1");
  ASSERT_TRUE(eventually([&] { return return_of(daemon).at("callers").at("known") >= 1; }));
  EXPECT_FALSE(eventually([&] { return return_of(daemon).at("exits") == "not probed"; }, 2s));
  expect_exact(daemon, steps.step("elsewhere 1"));
}

TEST(Callers, AFrameThatALongjmpLeavesIsAnErrorAtOnce) {
  for (const std::string strategy : {"callers", "sites", "auto"}) {
    Steps steps;
    const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "leaps", strategy)}}});
    ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }));
    expect_exact(daemon, steps.step("leap 300"));
  }
}

TEST(Callers, ExceptionsAreErrorsAtOnceByTheExitsToo) {
  Steps steps;
  const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "risky", "sites")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }));
  EXPECT_EQ(return_of(daemon).at("strategy"), "sites");
  expect_exact(daemon, steps.step("places 700"));
}

TEST(Callers, AThrowingFunctionIsGivenNoTrampolineByItself) {
  Steps steps;
  const Daemon daemon({.specs = {{"steps.yaml", spec(steps.pid(), "risky", "auto")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("steps") == "armed"; }));
  EXPECT_EQ(return_of(daemon).at("strategy"), "callers");
  expect_exact(daemon, steps.step("direct 700"));
}

}  // namespace
}  // namespace diagnose::test
