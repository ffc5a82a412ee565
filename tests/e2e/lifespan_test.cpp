// Every probe ends, and what it measured stays to be read for a while.
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

const char* quick_retention = "retention: 2s\n";

TEST(Lifespan, WhenTheTimeIsUpTheLinksLeaveTheKernelAndTheSeriesStayForTheRetention) {
  Program program({"threads", "2", "0"});
  const Daemon daemon({.config = quick_retention});
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter", "--name", "works", "--id",
               "short", "--lifespan", "2s"});
  const auto links = links_of(daemon.pid());
  ASSERT_FALSE(links.empty());
  program.go();

  ASSERT_TRUE(eventually([&] { return daemon.state_of("short") != "armed"; }, 5s));
  const auto over = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }, 1s)) << "links are left a second after the end";
  EXPECT_EQ(daemon.state_of("short"), "expired");

  const double final = daemon.metrics().value("works_total").value_or(-1);
  EXPECT_GT(final, 0);
  if (std::chrono::steady_clock::now() < over + 1s) {  // well within the retention, also on a slow machine
    EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), final) << "it still counts";
  }
  EXPECT_TRUE(eventually([&] { return daemon.metrics().find("works_total").empty(); }, 8s)) << "series never go";
  EXPECT_EQ(daemon.state_of("short"), "");
  program.enough();
  EXPECT_GT(program.counts().at("calls"), static_cast<long>(final));
}

TEST(Lifespan, AProbeOfSoManyHitsCountsExactlySoMany) {
  Program program({"threads", "4", "5000"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter", "--name", "works", "--id",
               "few", "--lifespan", "500 hits"});
  const auto links = links_of(daemon.pid());
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 20'000);
  EXPECT_TRUE(eventually([&] { return daemon.state_of("few") == "expired"; })) << daemon.state_of("few");
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 500);
  EXPECT_EQ(daemon.metrics().value("diagnose_probe_hits_total", {{"probe", "few"}}).value_or(-1), 500);
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }));
}

TEST(Lifespan, RenewStartsItAgain) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter", "--name", "works", "--id",
               "renewed", "--lifespan", "60s"});
  EXPECT_LE(daemon.listed("renewed")->at("remaining_seconds").get<double>(), 60);
  EXPECT_EQ(daemon.json({"renew", "renewed", "--lifespan", "1h"}).at("ids"), nlohmann::json({"renewed"}));
  EXPECT_GT(daemon.listed("renewed")->at("remaining_seconds").get<double>(), 3000);
}

TEST(Lifespan, RenewingAnUnknownProbeIsRefused) {
  const Daemon daemon;
  const Ended ended = daemon.ctl({"renew", "nobody"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("nobody"), std::string::npos) << ended.err;
}

TEST(Lifespan, ASpecWhoseTimeWasOverBeforeTheStartIsNotAttached) {
  const Program program({"threads", "1", "1"});
  std::string text = spec_text("old", at(program.pid(), "work"), counter("works"), "10m");
  text += "    lastmodified: 2020-01-01T00:00:00Z\n";
  const Daemon daemon({.specs = {{"old.yaml", text}}});
  EXPECT_TRUE(eventually([&] { return links_of(daemon.pid()).empty(); }));
  EXPECT_NE(daemon.state_of("old"), "armed");
}

TEST(Lifespan, ForeverHasNoEnd) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter",
                                     "--name", "works", "--id", "lasting", "--lifespan", "forever"});
  EXPECT_TRUE(attached.at("expires").is_null());
  EXPECT_TRUE(daemon.listed("lasting")->at("remaining_seconds").is_null());
}

TEST(Lifespan, WithoutOneItIsTenMinutes) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter", "--name", "works", "--id",
               "usual"});
  const double remaining = daemon.listed("usual")->at("remaining_seconds").get<double>();
  EXPECT_LE(remaining, 600);
  EXPECT_GT(remaining, 500);
}

}  // namespace
}  // namespace diagnose::test
