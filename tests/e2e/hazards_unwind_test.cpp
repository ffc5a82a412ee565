// Frames that are left without a return: exceptions, cancelled threads, jumps.  And functions that look at their own
// return address.
#include <gtest/gtest.h>

#include "e2e/differential.h"

namespace diagnose::test {
namespace {

const std::vector<std::string> unwinding_functions = {"first",   "second", "third", "rethrows",
                                                      "catches", "sweeps", "swept"};

TEST(HazardUnwinding, ExceptionsThroughOneTwoAndThreeFramesRethrownAndCaughtInTheMiddleAreSeenAndLeftAlone) {
  expect_the_same_under_every_probe({.command = {"unwinding", "700"}, .functions = unwinding_functions});
}

TEST(HazardUnwinding, ExceptionsAreSeenAsExactlyWhereStacksCouldBeSwitched) {
  expect_the_same_under_every_probe({.command = {"unwinding_switching", "700"}, .functions = unwinding_functions});
}

TEST(HazardUnwinding, ThreadsThatAreCancelledOrEndAreSeenAsExactlyWhereStacksCouldBeSwitched) {
  expect_the_same_under_every_probe({.command = {"cancel_switching", "20"}, .functions = {"outer", "waits", "exits"}});
}

TEST(HazardUnwinding, AStaticallyLinkedProgramThrowsAsBefore) {
  expect_the_same_under_every_probe({.command = {"unwinding_static", "700"}, .functions = unwinding_functions});
}

TEST(HazardUnwinding, EightThreadsThrowAtEverySeventhOfAHundredThousandCallsAndEachIsAccountedFor) {
  const Subject storm{.command = {"storm", "8", "100000"}, .functions = {"risky", "between"}};
  const Ended without = without_probes(storm);
  Daemon daemon;
  for (const std::string& strategy : strategies()) expect_the_same(daemon, storm, without, strategy, Measure::ends);
}

TEST(HazardUnwinding, ThreadsCancelledOrEndedInsideOfAFunctionDestroyTheirObjects) {
  expect_the_same_under_every_probe({.command = {"cancel", "20"}, .functions = {"outer", "waits", "exits"}});
}

TEST(HazardUnwinding, LongjmpsOutOfFunctionsAndSignalHandlersLandWhereTheyShould) {
  expect_the_same_under_every_probe({.command = {"jumps", "500"}, .functions = {"leap", "flee", "passage"}});
}

TEST(HazardUnwinding, AVirtualCallFromOnePlaceMayThrow) {
  expect_the_same_under_every_probe({.command = {"virtuals", "1", "700"}, .functions = {"Square::area"}});
}

TEST(HazardUnwinding, AVirtualCallFromFivePlacesMayThrow) {
  expect_the_same_under_every_probe(
      {.command = {"virtuals", "5", "140"}, .functions = {"Square::area"}, .hidden_callers = 5});
}

TEST(HazardUnwinding, AVirtualCallFromAHundredPlacesMayThrow) {
  expect_the_same_under_every_probe(
      {.command = {"virtuals", "100", "21"}, .functions = {"Square::area"}, .hidden_callers = 100});
}

TEST(HazardReturnAddress, BacktraceDlsymNextAndTheReturnAddressItselfSeeWhatTheySawBefore) {
  expect_the_same_under_every_probe({.command = {"looks_back", "20"}, .functions = {"deep", "next_symbol", "where"}});
}

}  // namespace
}  // namespace diagnose::test
