// Returns behind the calls, errors at the places where a runtime leaves frames: call = return + error + lost, exactly.
#include <gtest/gtest.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

constexpr const char* four =
    "instruments: [{type: counter, name: calls}, {type: counter, name: returns, event: return},"
    " {type: counter, name: errors, event: error}, {type: histogram, name: ends, value: elapsed, event: end}]";
constexpr compile::Returns by_callers{.callers = true};

void expect_equation(const Rig& rig) {
  EXPECT_EQ(static_cast<std::uint64_t>(rig.value(0)), rig.hits());
  EXPECT_EQ(rig.value(0), rig.value(1) + rig.value(2) + static_cast<std::int64_t>(rig.lost_in_all()));
  EXPECT_EQ(rig.count(3), static_cast<std::uint64_t>(rig.value(1) + rig.value(2)));
}

TEST(Callers, AFunctionThatThrowsReturnsAndFailsExactlyAsOftenAsItDoes) {
  Program program({"throwing", "7000"});
  Rig rig("target: {" + target_of(program, "risky") + "}, " + four, by_callers);
  rig.watch_unwinding(program);
  rig.watch_callers(program, "risky");
  rig.attach_entries();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), counts.at("calls"));
  EXPECT_EQ(rig.value(1), counts.at("returns"));
  EXPECT_EQ(rig.value(2), counts.at("throws"));
  EXPECT_EQ(rig.lost_in_all(), 0U);
  expect_equation(rig);
}

TEST(Callers, ALongjmpOutOfACallIsAnErrorOnTheSpot) {
  Program program({"longjmp", "5000"});
  Rig rig("target: {" + target_of(program, "leap") + "}, " + four, by_callers);
  rig.watch_unwinding(program);
  rig.watch_callers(program, "leap");
  rig.attach_entries();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(1), counts.at("returns"));
  EXPECT_EQ(rig.value(2), counts.at("jumps"));
  expect_equation(rig);
}

TEST(Callers, CallsFromUnknownCallersAreCountedAsLostAndNothingIsMistakenForTheirReturn) {
  Program program({"throwing", "700"});
  Rig rig("target: {" + target_of(program, "risky") + "}, " + four, by_callers);
  rig.watch_callers(program, "risky", false);
  rig.attach_entries();
  program.go();
  EXPECT_EQ(rig.value(0), program.counts().at("calls"));
  EXPECT_EQ(rig.lost(LOSS_CALLER), rig.hits());
  EXPECT_EQ(rig.value(1), 0);
  expect_equation(rig);
}

TEST(Callers, ARecursionReturnsToItsCallersAsOftenAsItIsCalled) {
  for (const compile::FrameKey key : {compile::FrameKey::thread, compile::FrameKey::stack}) {
    Program program({"recursion", "50", "20", "12"});
    Rig rig("target: {" + target_of(program, "fib") + "}, " + four, {.frames = key, .callers = true});
    rig.watch_callers(program, "fib");
    rig.attach_entries();
    program.go();
    EXPECT_EQ(rig.value(1), program.counts().at("fib"));
    EXPECT_EQ(rig.lost_in_all(), 0U);
    expect_equation(rig);
  }
}

TEST(Callers, TrampolinesReportToTheSameProgram) {
  Program program({"recursion", "50", "20", "12"});
  Rig rig("target: {" + target_of(program, "down") + "}, " + four, {.trampoline = true});
  rig.watch_trampoline(program, "down");
  rig.attach_entries();
  program.go();
  EXPECT_EQ(rig.value(1), program.counts().at("down"));
  expect_equation(rig);
}

TEST(Callers, FramesInAHashTableMeetTheirExits) {
  Program program({"threads", "4", "5000"});
  Rig rig("target: {" + target_of(program, "work") + "}, " + four, {.frames = compile::FrameKey::stack});
  rig.attach();
  program.go();
  EXPECT_EQ(rig.value(1), program.counts().at("calls"));
  expect_equation(rig);
}

TEST(Callers, DeeperCallsThanTheLimitAreLost) {
  Program program({"recursion", "50", "20", "1"});
  Rig rig("target: {" + target_of(program, "down") + "}, limits: {frames: 5}, " + four);
  rig.attach();
  program.go();
  EXPECT_EQ(program.counts().at("down"), 20 * 50);
  EXPECT_EQ(rig.lost(LOSS_FRAMES_FULL), 20U * (50 - 5));
  expect_equation(rig);
}

TEST(Callers, RecordsOverTheRateAreCountedAndNotSent) {
  Program program({"threads", "4", "2000"});
  Rig rig("target: {" + target_of(program, "work") +
          "}, limits: {rate: 100/s}, instrument: {type: log, message: \"{arg0}\"}");
  rig.attach();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 8000);
  // One window's worth got through; all of them would take more than a minute.
  EXPECT_GT(rig.lost(LOSS_RATE), 0U);
  EXPECT_LE(rig.lost(LOSS_RATE), 8000U - 100U);
  EXPECT_EQ(rig.lost(LOSS_RATE), rig.lost_in_all());
}

TEST(Callers, ACallThatIsStillOpenWhenItsThreadEndsIsLost) {
  Program program({"throwing", "10"});
  Rig risky("target: {" + target_of(program, "risky") + "}, " + four);
  risky.watch_thread_ends();
  risky.attach_entries();
  program.go();
  // Nobody watches how the calls end: each is found to have been left by the next, and the last by the thread's end.
  EXPECT_EQ(risky.hits(), static_cast<std::uint64_t>(program.counts().at("calls")));
  EXPECT_EQ(risky.lost(LOSS_LEFT), 1U);
  EXPECT_EQ(risky.value(2), risky.value(0) - 1);
  expect_equation(risky);
}

}  // namespace
}  // namespace diagnose::test
