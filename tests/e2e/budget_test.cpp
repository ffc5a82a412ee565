// Probes that cost more than they may (hazard 18).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/daemon.h"

namespace diagnose::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Command count_work(const Program& program, const std::string& id) {
  return {"attach", "--pid",       std::to_string(program.pid()),
          "work",   "--type",      "counter",
          "--name", id + "_calls", "--id",
          id,       "--lifespan",  "1h"};
}

nlohmann::json status_of(const Daemon& daemon, const std::string& id) {
  return daemon.json({"status", id});
}

// Nobody but the probe itself may end it: it has an hour.
bool trips(const Daemon& daemon, const std::string& id) {
  return eventually([&] { return daemon.state_of(id) == "tripped"; }, 30s);
}

TEST(Budget, AFunctionCalledAMillionTimesASecondIsLetGoAndTheTargetGoesOn) {
  const Daemon daemon({.specs = {}, .config = "overhead: {probe: 1%, host: 10000%}\n", .budgets = true});
  Program program({"threads", "1", "0"});
  program.go();
  daemon.json(count_work(program, "hot"));
  ASSERT_TRUE(trips(daemon, "hot")) << daemon.state_of("hot");

  const auto status = status_of(daemon, "hot");
  EXPECT_DOUBLE_EQ(status.at("budget"), 0.01);
  EXPECT_GT(status.at("overhead_seconds"), 0);
  ASSERT_FALSE(status.at("errors").empty());
  EXPECT_THAT(status.at("errors").back().at("why").get<std::string>(),
              AllOf(HasSubstr("% of a core ("), HasSubstr(" hits/s x "), HasSubstr(", budget 1 % of a core")));
  EXPECT_THAT(status.at("errors").back().at("mend").get<std::string>(), HasSubstr("limits: {overhead: "));
  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(metrics.value("diagnose_probe_errors_total", {{"probe", "hot"}, {"kind", "tripped"}}).value_or(0), 1);
  EXPECT_EQ(metrics.value("diagnose_probe_info", {{"probe", "hot"}, {"state", "tripped"}}).value_or(0), 1);
  EXPECT_GT(metrics.value("diagnose_probe_overhead_seconds_total", {{"probe", "hot"}}).value_or(0), 0);
  EXPECT_THAT(read_file(daemon.folder()->file("log")), HasSubstr("budget 1 % of a core"));

  // It is off the target: the counter stands still while the target goes on.
  ASSERT_TRUE(eventually([&] { return links_of(daemon.pid()).empty(); }));
  const auto hits = status_of(daemon, "hot").at("hits").get<long>();
  ASSERT_TRUE(program.running());
  program.enough();
  EXPECT_GT(program.counts().at("calls"), hits);
  EXPECT_EQ(status_of(daemon, "hot").at("hits").get<long>(), hits);
}

TEST(Budget, ATrippedProbeIsAttachedAgainWhenItIsRenewed) {
  const Daemon daemon({.specs = {}, .config = "overhead: {probe: 1%, host: 10000%}\n", .budgets = true});
  Program program({"threads", "1", "0"});
  program.go();
  daemon.json(count_work(program, "hot"));
  ASSERT_TRUE(trips(daemon, "hot"));
  EXPECT_EQ(daemon.ctl({"renew", "hot"}).status, 0);
  EXPECT_EQ(status_of(daemon, "hot").at("errors").size(), 0U);
  // And again it costs too much.
  EXPECT_TRUE(trips(daemon, "hot"));
  program.enough();
  program.counts();
}

TEST(Budget, AProbeWithABudgetOfItsOwnIsLeftAlone) {
  Program program({"threads", "1", "0"});
  const std::string target = "target: {pid: " + std::to_string(program.pid()) + ", function: work}";
  const std::string text = "probes:\n  cheap-enough: {" + target +
                           ", instrument: {type: counter, name: works}, limits: {overhead: 10000%}, lifespan: 1h}\n" +
                           "  dear: {" + target + ", instrument: {type: counter, name: works_too}, lifespan: 1h}\n";
  const Daemon daemon(
      {.specs = {{"own.yaml", text}}, .config = "overhead: {probe: 1%, host: 10000%}\n", .budgets = true});
  program.go();
  ASSERT_TRUE(trips(daemon, "dear")) << daemon.state_of("dear");
  EXPECT_EQ(daemon.state_of("cheap-enough"), "armed");
  EXPECT_DOUBLE_EQ(status_of(daemon, "cheap-enough").at("budget"), 100);
  program.enough();
  const auto counts = program.counts();
  const double counted = daemon.metrics().value("works_total").value_or(0);
  EXPECT_GT(counted, 0);
  EXPECT_LE(counted, counts.at("calls"));
}

TEST(Budget, WhenAllTogetherCostTooMuchTheDearestGoes) {
  const Daemon daemon({.specs = {}, .config = "overhead: {probe: 10000%, host: 1%}\n", .budgets = true});
  Program busy({"threads", "1", "0"});
  Program idle({"threads", "1", "0"});
  daemon.json(count_work(busy, "busy"));
  daemon.json(count_work(idle, "idle"));
  busy.go();
  ASSERT_TRUE(trips(daemon, "busy"));
  EXPECT_EQ(daemon.state_of("idle"), "armed");
  EXPECT_THAT(status_of(daemon, "busy").at("errors").back().at("why").get<std::string>(),
              HasSubstr("the dearest of all probes, which together cost"));
  busy.enough();
  busy.counts();
}

}  // namespace
}  // namespace diagnose::test
