// Returns at the exits: recursion, tail calls, frames left without a return.
#include <gtest/gtest.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

constexpr const char* call_and_return =
    "instruments: [{type: counter, name: calls}, {type: counter, name: returns, event: return}, "
    "{type: counter, name: errors, event: error}]";

TEST(Returns, RecursionOfDepthFiftyReturnsAsOftenAsItIsCalled) {
  Program program({"recursion", "50", "20", "12"});
  Rig down("target: {" + target_of(program, "down") + "}, " + call_and_return);
  Rig fib("target: {" + target_of(program, "fib") + "}, " + call_and_return);
  down.attach();
  fib.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(down.value(0), counts.at("down"));
  EXPECT_EQ(down.value(1), counts.at("down"));
  EXPECT_EQ(fib.value(0), counts.at("fib"));
  EXPECT_EQ(fib.value(1), counts.at("fib"));
  EXPECT_EQ(down.lost_in_all() + fib.lost_in_all(), 0U);
}

TEST(Returns, EachCallOfARecursionMeetsItsOwnArgumentAgain) {
  Program program({"recursion", "50", "3", "1"});
  // down(n) returns n: the argument of the call minus the result is 0 at every level.
  Rig rig("target: {" + target_of(program, "down") +
          "}, instruments: ["
          "{type: gauge, name: least, value: arg0 - result, operation: min},"
          "{type: gauge, name: most, value: arg0 - result, operation: max},"
          "{type: gauge, name: deepest, value: arg0, event: return, operation: max}]");
  rig.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), 0);
  EXPECT_EQ(rig.value(1), 0);
  EXPECT_EQ(rig.value(2), counts.at("deepest"));
}

TEST(Returns, MutualRecursionKeepsBothFunctionsApart) {
  Program program({"recursion", "50", "20", "1"});
  Rig rig("target: {" + target_of(program, "re:^(even|odd)$") + "}, " + call_and_return);
  rig.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), counts.at("even") + counts.at("odd"));
  EXPECT_EQ(rig.value(1), counts.at("even") + counts.at("odd"));
  EXPECT_EQ(rig.lost_in_all(), 0U);
}

TEST(Returns, RecursionBeyondTheFrameLimitIsCountedAsLost) {
  Program program({"recursion", "200", "5", "1"});
  Rig rig("target: {" + target_of(program, "down") + "}, " + call_and_return);
  rig.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), counts.at("down"));
  EXPECT_EQ(rig.lost(LOSS_FRAMES_FULL), 5U * (200 - FRAMES_PER_THREAD));
  EXPECT_EQ(rig.value(1) + static_cast<std::int64_t>(rig.lost_in_all()), counts.at("down"));
}

TEST(Returns, AThrowingProgramCatchesItsExceptionsAndTheFramesTheyLeftAreCounted) {
  const Ended without = run({program_path("throwing"), "7000"});
  Program program({"throwing", "7000"});
  Rig risky("target: {" + target_of(program, "risky") + "}, " + call_and_return);
  Rig between("target: {" + target_of(program, "between") + "}, " + call_and_return);
  risky.attach();
  between.attach();
  program.go();
  const Ended with = program.finish();
  EXPECT_EQ(with.status, 0);
  const auto counts = counts_in(with.out);
  EXPECT_EQ(counts, counts_in(without.out));
  EXPECT_EQ(risky.value(0), counts.at("calls"));
  EXPECT_EQ(risky.value(1), counts.at("returns"));
  EXPECT_EQ(between.value(1), counts.at("returns"));
  // Nobody watches the unwinder here: a frame is seen to have been left at the next call.  The last call throws too if
  // 7 divides the calls: its frame is still open.
  for (const Rig* rig : {&risky, &between}) {
    EXPECT_GE(rig->value(2), counts.at("throws") - 1);
    EXPECT_LE(rig->value(2), counts.at("throws"));
    EXPECT_EQ(rig->lost_in_all(), 0U);
  }
}

TEST(Returns, FramesThatALongjmpLeftDoNotConfuseTheNextCalls) {
  Program program({"longjmp", "5000"});
  Rig rig("target: {" + target_of(program, "leap") + "}, " + call_and_return);
  rig.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), counts.at("calls"));
  EXPECT_EQ(rig.value(1), counts.at("returns"));
  EXPECT_GE(rig.value(2), counts.at("jumps") - 1);
  EXPECT_EQ(rig.lost_in_all(), 0U);
}

TEST(Returns, AResultThatATailCallHasYetToMakeIsCountedAsLostAndNotInvented) {
  // `say` leaves by a jump to strlen: at its exit rax is somebody else's.
  Program program({"strings", "300"});
  Rig rig("target: {" + target_of(program, "say") +
          "}, instruments: ["
          "{type: histogram, name: results, value: result},"
          "{type: counter, name: returns, event: return}]");
  rig.attach();
  program.go();
  const auto counts = program.counts();
  const auto calls = static_cast<std::uint64_t>(counts.at("calls"));
  EXPECT_EQ(rig.value(1), counts.at("calls"));
  EXPECT_EQ(rig.count(0) + rig.lost(LOSS_RESULT), calls);
  bool jumps = false;
  for (const auto& site : rig.resolution().modules.at(0).functions.at(0).sites) {
    jumps = jumps || site.kind == target::SiteKind::tail;
  }
  EXPECT_EQ(rig.lost(LOSS_RESULT) > 0, jumps);
}

}  // namespace
}  // namespace diagnose::test
