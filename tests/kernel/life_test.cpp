// What ends, ends in the kernel too.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <thread>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

constexpr const char* counter = "instrument: {type: counter, name: calls}";

TEST(Life, ADisabledProbeMeasuresNothingThoughItsBreakpointsStand) {
  Program program({"threads", "2", "1000"});
  Rig rig("target: {" + target_of(program, "work") + "}, " + counter);
  rig.attach();
  rig.loaded().disable();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(rig.hits(), 0U);
}

TEST(Life, NothingIsMeasuredAfterTheDeadlineThoughNobodyDetaches) {
  Program program({"threads", "2", "1000"});
  Rig rig("target: {" + target_of(program, "work") + "}, " + counter);
  rig.attach();
  rig.enable(std::chrono::nanoseconds(0));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // a tick or two, whatever CONFIG_HZ is
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(rig.hits(), 0U);
}

TEST(Life, ExactlySoManyHitsAreAdmittedWhateverTheThreads) {
  Program program({"threads", "8", "10000"});
  Rig rig("target: {" + target_of(program, "work") + "}, " + counter);
  rig.attach();
  rig.enable(std::nullopt, 12'345);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 80'000);
  EXPECT_EQ(rig.hits(), 12'345U);
  EXPECT_EQ(rig.value(), 12'345);
}

TEST(Life, TheCallsOfTheLastHitsStillReturn) {
  Program program({"recursion", "40", "100", "1"});
  Rig rig("target: {" + target_of(program, "down") +
          "}, "
          "instruments: [{type: counter, name: returns, event: return}]");
  rig.attach();
  rig.enable(std::nullopt, 1'010);
  program.go();
  EXPECT_EQ(program.counts().at("down"), 4'000);
  EXPECT_EQ(rig.hits(), 1'010U);
  EXPECT_EQ(rig.value(), 1'010);
}

// What is loaded for each probe: some 3,000; a compiler that puts branches into the frames' search makes 100,000 of
// them.
TEST(Life, TheVerifierWalksAReturnProbesProgramsButOnce) {
  Program program({"threads", "1", "1"});
  Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: counter, name: ends, event: end}",
          {.callers = true, .trampoline = true});
  for (std::size_t role = 0; role < compile::program_roles; ++role) {
    const int loaded = rig.loaded().program(static_cast<compile::ProgramRole>(role));
    if (loaded < 0) continue;
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    ASSERT_EQ(bpf_obj_get_info_by_fd(loaded, &info, &size), 0);
    EXPECT_LT(info.verified_insns, 15'000U) << info.name;
  }
}

TEST(Life, TwoProbesOnOneFunctionCountEachForItself) {
  Program program({"threads", "2", "5000"});
  Rig one("target: {" + target_of(program, "work") + "}, " + counter);
  Rig other("target: {" + target_of(program, "work") + "}, " + counter);
  one.attach();
  other.attach();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 10'000);
  EXPECT_EQ(one.value(), 10'000);
  EXPECT_EQ(other.value(), 10'000);
}

TEST(Life, OtherProcessesOfTheSameFileAreNotCounted) {
  Program program({"threads", "2", "5000"});
  Program bystander({"threads", "2", "7000"});
  Rig rig("target: {" + target_of(program, "work") + "}, " + counter);
  rig.attach();
  bystander.go();
  program.go();
  EXPECT_EQ(bystander.counts().at("calls"), 14'000);
  EXPECT_EQ(program.counts().at("calls"), 10'000);
  EXPECT_EQ(rig.value(), 10'000);
}

TEST(Life, ATargetKilledUnderTheProbeLeavesItsCounts) {
  Program program({"threads", "4", "0"});
  Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: histogram, name: times}");
  rig.attach();
  program.go();
  ASSERT_TRUE(eventually([&] { return rig.hits() > 100; }));
  program.signal(SIGKILL);
  EXPECT_EQ(program.finish().status, 128 + SIGKILL);
  EXPECT_GT(rig.hits(), 100U);
  rig.detach();
}

}  // namespace
}  // namespace diagnose::test
