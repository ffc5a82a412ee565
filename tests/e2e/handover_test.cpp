// A restart under a service manager that keeps descriptors: no call is missed, no count starts anew (design D9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"
#include "support/fd_store.h"

namespace diagnose::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Handover : public ::testing::Test {
 protected:
  void start(std::map<std::string, std::string> specs = {}) {
    daemon_.emplace(DaemonOptions{.specs = std::move(specs), .folder = folder_, .wrapper = store_.wrapper()});
  }
  void stop() { EXPECT_EQ(daemon_->terminate().status, 0); }
  void restart() {
    stop();
    start();
  }
  [[nodiscard]] std::string log() const { return read_file(folder_->file("log")); }
  [[nodiscard]] double value(const std::string& name) const { return daemon_->metrics().sum(name); }
  void await(const std::string& name, double least) {
    ASSERT_TRUE(eventually([&] { return value(name) >= least; })) << name << " is " << value(name) << "\n" << log();
  }

  std::shared_ptr<TemporaryFolder> folder_ = std::make_shared<TemporaryFolder>();
  FdStore store_;
  std::optional<Daemon> daemon_;
};

std::string ends(const std::string& id, const std::string& target, const std::string& strategy) {
  return fmt::format(
      "  {0}:\n    target: {{{1}}}\n    return: {2}\n    lifespan: 1h\n    instruments:\n"
      "      - {{type: counter, name: {0}.calls}}\n"
      "      - {{type: histogram, name: {0}.took, value: elapsed, event: end}}\n",
      id, target, strategy);
}

TEST_F(Handover, ATargetThatCallsAllTheWhileIsCountedToTheCall) {
  Program program({"threads", "2", "0"});
  const std::string whole = "exe: " + program.path() + ", function: work";
  start({{"specs.yaml", "probes:\n" + ends("automatic", at(program.pid(), "work"), "auto") +
                            ends("callers", at(program.pid(), "work"), "callers") +
                            ends("sites", at(program.pid(), "work"), "sites") + ends("whole", whole, "auto")}});
  daemon_->json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter", "--name", "by.hand"});
  for (const char* id : {"automatic", "callers", "sites", "whole"}) EXPECT_EQ(daemon_->state_of(id), "armed") << id;
  program.go();
  for (int round = 0; round < 3; ++round) {
    const double before = value("by_hand_total");
    await("by_hand_total", before + 1000);
    restart();
    EXPECT_EQ(store_.stored(), 0U) << "the store keeps what its daemon has taken";
    EXPECT_GE(value("by_hand_total"), before + 1000);
    EXPECT_THAT(log(), Not(HasSubstr("not taken over")));
  }
  await("by_hand_total", value("by_hand_total") + 1000);
  program.enough();
  const auto calls = static_cast<double>(program.counts().at("calls"));
  EXPECT_EQ(value("by_hand_total"), calls);
  for (const std::string id : {"automatic", "callers", "sites", "whole"}) {
    EXPECT_EQ(value(id + "_calls_total"), calls) << id;
    EXPECT_EQ(value(id + "_took_seconds_count"), calls) << id;
  }
}

TEST_F(Handover, LocationsOfAMarkerWithArgumentsInDifferentPlacesAreCountedOnByThoseThatComeToo) {
  const std::string whole = "exe: " + program_path("locations") + ", usdt: 'shop:level'";
  const std::string labelled = "type: gauge, operation: inc, value: arg0, labels: {location: arg1}, name: ";
  Program program({"locations", "0"});
  start({{"level.yaml",
          "probes:\n" +
              probe_text("one", fmt::format("pid: {}, usdt: 'shop:level'", program.pid()), labelled + "one.level") +
              probe_text("whole", whole, labelled + "whole.level")}});
  for (const char* id : {"one", "whole"}) ASSERT_EQ(daemon_->state_of(id), "armed") << daemon_->json({"status", id});
  program.go();
  for (int round = 0; round < 3; ++round) {
    const double before = value("one_level");
    await("one_level", before + 1000);
    restart();
    EXPECT_THAT(log(), Not(HasSubstr("not taken over")));
  }
  Program later({"locations", "500"});
  ASSERT_TRUE(eventually([&] { return daemon_->json({"status", "whole"}).at("processes").size() == 2; }));
  later.go();
  const auto later_counts = later.counts();
  program.enough();
  const auto counts = program.counts();
  for (int location = 0; location < 8; ++location) {
    const std::map<std::string, std::string> labels{{"location", std::to_string(location)}};
    const std::string sum = "sum" + std::to_string(location);
    EXPECT_EQ(daemon_->metrics().value("one_level", labels).value_or(-1), static_cast<double>(counts.at(sum)))
        << location;
    EXPECT_EQ(daemon_->metrics().value("whole_level", labels).value_or(-1),
              static_cast<double>(counts.at(sum) + later_counts.at(sum)))
        << location;
  }
}

TEST_F(Handover, WhatIsFoldedFromRecordsGoesOnAndThoseThatNobodyReadMeanwhileCount) {
  Process steps({program_path("steps")});
  steps.line();
  start({{"folded.yaml", "probes:\n  folded:\n    target: {" + at(steps.pid(), "risky") +
                             "}\n    aggregate: events\n    lifespan: 1h\n    instruments:\n"
                             "      - {type: counter, name: calls, labels: {last: arg0 % 10}}\n"
                             "      - {type: histogram, name: took, value: elapsed, event: end}\n"}});
  ASSERT_EQ(daemon_->state_of("folded"), "armed") << daemon_->json({"status", "folded"});
  const auto step = [&] {
    steps.write("direct 700\n");
    steps.line();
  };
  step();
  stop();
  step();
  start();
  EXPECT_THAT(log(), Not(HasSubstr("not taken over")));
  step();
  restart();
  await("calls_total", 2100);
  await("took_seconds_count", 2100);
  EXPECT_EQ(value("calls_total"), 2100);
  EXPECT_EQ(value("took_seconds_count"), 2100);
  EXPECT_EQ(daemon_->metrics().value("calls_total", {{"last", "3"}}), 210);
}

TEST_F(Handover, AProcessThatEndsBeforeTheNextDaemonComesIsCountedToItsLastCall) {
  Program program({"threads", "2", "5000"});
  start({{"works.yaml", spec_text("works", at(program.pid(), "work"), counter("works"))}});
  ASSERT_EQ(daemon_->state_of("works"), "armed");
  stop();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 10'000);
  start();
  EXPECT_EQ(daemon_->state_of("works"), "expired");
  EXPECT_TRUE(eventually([&] { return value("works_total") == 10'000; })) << value("works_total") << log();
}

TEST_F(Handover, AProcessThatStartsBeforeTheNextDaemonComesIsCountedToo) {
  start({{"works.yaml", spec_text("works", "exe: " + program_path("threads") + ", function: work", counter("works"))}});
  ASSERT_EQ(daemon_->state_of("works"), "armed");
  stop();
  Program first({"threads", "1", "1000"});
  start();
  Program second({"threads", "1", "2000"});
  first.go();
  second.go();
  first.counts();
  second.counts();
  EXPECT_EQ(value("works_total"), 3000);
}

TEST_F(Handover, TheNextDaemonEndsAProbeWhenItsHitsAreUsedUpAndNothingStaysInTheKernel) {
  Program program({"threads", "1", "1000"});
  start({{"works.yaml", spec_text("works", at(program.pid(), "work"), counter("works"), "700 hits")}});
  ASSERT_EQ(daemon_->state_of("works"), "armed");
  const auto links = links_of(daemon_->pid());
  restart();
  EXPECT_EQ(daemon_->state_of("works"), "armed");
  EXPECT_GT(still_there(links), 0U);
  program.go();
  program.counts();
  EXPECT_TRUE(eventually([&] { return daemon_->state_of("works") == "expired"; })) << daemon_->state_of("works");
  EXPECT_EQ(value("works_total"), 700);
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }));
}

TEST_F(Handover, WhatNobodyAsksForAnyMoreIsDetachedAndSaid) {
  Program program({"threads", "1", "1000"});
  start({{"works.yaml", spec_text("works", at(program.pid(), "work"), counter("works"))}});
  ASSERT_EQ(daemon_->state_of("works"), "armed");
  const auto links = links_of(daemon_->pid());
  stop();
  EXPECT_GT(still_there(links), 0U);
  write_file(folder_->file("specs") + "/works.yaml", spec_text("other", at(program.pid(), "work"), counter("others")));
  start();
  EXPECT_EQ(daemon_->state_of("works"), "");
  EXPECT_EQ(daemon_->state_of("other"), "armed");
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }));
  EXPECT_THAT(log(), HasSubstr("nobody asks for it"));
  program.go();
  program.counts();
  EXPECT_EQ(value("others_total"), 1000);
}

TEST_F(Handover, AStopWithoutAStartLeavesNothingInTheKernel) {
  const Program program({"threads", "1", "1000"});
  start({{"works.yaml", spec_text("works", at(program.pid(), "work"), counter("works"))}});
  const auto links = links_of(daemon_->pid());
  stop();
  store_.forget();
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }));
}

class SmallStore : public Handover {
 protected:
  SmallStore() : small_(4) {}
  FdStore small_;
};

TEST_F(SmallStore, WhatDidNotFitIsAttachedAnewAndCountsFromZero) {
  Program program({"threads", "1", "1000"});
  const std::map<std::string, std::string> specs = {
      {"works.yaml", spec_text("works", at(program.pid(), "work"), counter("works"))}};
  daemon_.emplace(DaemonOptions{.specs = specs, .folder = folder_, .wrapper = small_.wrapper()});
  ASSERT_EQ(daemon_->state_of("works"), "armed");
  stop();
  daemon_.emplace(DaemonOptions{.folder = folder_, .wrapper = small_.wrapper()});
  EXPECT_EQ(daemon_->state_of("works"), "armed") << log();
  EXPECT_THAT(log(), HasSubstr("FileDescriptorStoreMax"));
  program.go();
  program.counts();
  EXPECT_EQ(value("works_total"), 1000);
}

}  // namespace
}  // namespace diagnose::test
