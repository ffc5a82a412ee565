// Stacks: switched, of signals, deep, and the bytes below them.
#include <gtest/gtest.h>

#include "e2e/differential.h"

namespace diagnose::test {
namespace {

TEST(HazardStacks, TwoFibresOneOfWhichMovesToAnotherThreadComeBackToWhereTheyWere) {
  expect_the_same_under_every_probe({.command = {"fibres", "100"}, .functions = {"leg", "inner"}});
}

TEST(HazardStacks, AHandlerOnAStackOfItsOwnDoesNotDisturbTheFramesItInterrupts) {
  expect_the_same_under_every_probe(
      {.command = {"signal_stack", "100"}, .functions = {"handled", "interrupted", "outside"}});
}

TEST(HazardStacks, ALeafKeepsWhatItHasInTheRedZoneAroundFiveByteNops) {
  expect_the_same_under_every_probe({.command = {"red_zone", "200"},
                                     .functions = {"nop_inside", "nop_before", "nops_everywhere", "short_nop_inside",
                                                   "endbr_then_nop", "jump_inside", "branch_inside", "stepped"}});
}

TEST(HazardStacks, RecursionOfTwoHundredIsAccountedForCallByCall) {
  const Ended without = run({program_path("recursion"), "200", "5", "1"}, "\n");
  for (const std::string& strategy : strategies()) {
    SCOPED_TRACE(strategy);
    const Daemon daemon;
    Program program({"recursion", "200", "5", "1"});
    const Subject down{.command = {"recursion"}, .functions = {"down"}};
    const std::string file = daemon.folder()->file("down.yaml");
    write_file(
        file,
        nlohmann::json{{"probes", {{"down", differential_probe(down, "down", strategy, Measure::ends, program.pid())}}}}
            .dump());
    EXPECT_EQ(daemon.ctl({"apply", file}).status, 0);
    program.go();
    const auto counts = program.counts();
    EXPECT_EQ(counts, counts_in(without.out));
    const Counted is = counted(daemon.metrics(), "down");
    EXPECT_EQ(is.calls, static_cast<double>(counts.at("down"))) << is.text();
    EXPECT_EQ(is.calls, is.returns + is.lost_in_all()) << is.text();
    EXPECT_GE(is.returns, 5 * 64) << is.text();
  }
}

}  // namespace
}  // namespace diagnose::test
