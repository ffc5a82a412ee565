// Every call is counted, in the kernel, whatever preempts what.
#include <gtest/gtest.h>

#include "kernel/rig.h"
#include "support/scale.h"

namespace diagnose::test {
namespace {

TEST(Exactness, SixteenThreadsAndAMillionCallsEachAreCountedExactlyFiveTimesOutOfFive) {
  const long calls = scaled(1'000'000);
  for (int run = 0; run < 5; ++run) {
    Program program({"threads", "16", std::to_string(calls)});
    Rig rig("target: {" + target_of(program, "work") +
            "}, instruments: ["
            "{type: counter, name: calls},"
            "{type: counter, name: by_label, labels: {l: arg0 % 4}},"
            "{type: histogram, name: sizes, value: arg0}]");
    rig.attach();
    program.go();
    const auto counts = program.counts();
    EXPECT_EQ(counts.at("calls"), 16 * calls);
    EXPECT_EQ(rig.hits(), static_cast<std::uint64_t>(16 * calls));
    EXPECT_EQ(rig.value(0), 16 * calls);
    const std::map<std::string, std::int64_t> expected = {
        {"0", counts.at("label0")}, {"1", counts.at("label1")}, {"2", counts.at("label2")}, {"3", counts.at("label3")}};
    EXPECT_EQ(rig.by_label(1), expected);
    EXPECT_EQ(rig.count(2), static_cast<std::uint64_t>(16 * calls));
    EXPECT_EQ(rig.value(2), counts.at("arguments"));
    EXPECT_EQ(rig.lost_in_all(), 0U);
  }
}

TEST(Exactness, ReturnsOfManyThreadsAreCountedWithTheirResultsAndTheArgumentsOfTheirCalls) {
  Program program({"threads", "8", std::to_string(scaled(20'000, 1000))});
  Rig rig("target: {" + target_of(program, "work") +
          "}, instruments: ["
          "{type: counter, name: results, value: result},"
          "{type: counter, name: arguments, value: arg0, event: return},"
          "{type: counter, name: calls},"
          "{type: histogram, name: times}]");
  rig.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), counts.at("results"));
  EXPECT_EQ(rig.value(1), counts.at("arguments"));
  EXPECT_EQ(rig.value(2), counts.at("calls"));
  EXPECT_EQ(rig.count(3), static_cast<std::uint64_t>(counts.at("calls")));
  EXPECT_EQ(rig.lost_in_all(), 0U);
}

TEST(Exactness, ACounterOverTheSeriesLimitGoesToOtherAndNothingIsLost) {
  Program program({"threads", "4", "10000"});
  Rig rig("target: {" + target_of(program, "work") +
          "}, limits: {series: 10},"
          "instrument: {type: counter, name: calls, labels: {l: arg0 % 100}}");
  rig.attach();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 40'000);
  const auto values = rig.by_label();
  std::int64_t sum = 0;
  for (const auto& [label, value] : values) sum += value;
  EXPECT_EQ(values.size(), 11U);
  EXPECT_TRUE(values.contains("__other__"));
  EXPECT_EQ(sum, 40'000);
}

TEST(Exactness, AttachingAndDetachingTwoHundredTimesInARunningProgramLeavesItsOutputAlone) {
  Program program({"threads", "4", "0"});
  program.go();
  for (int round = 0; round < scaled(200, 2); ++round) {
    Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: histogram, name: times}");
    rig.attach();
    if (round % 20 == 0) {
      EXPECT_TRUE(eventually([&] { return rig.hits() > 0; }));
    }
    rig.detach();
  }
  program.enough();
  const auto counts = program.counts();
  EXPECT_EQ(counts.at("results"), 3 * counts.at("arguments"));
}

}  // namespace
}  // namespace diagnose::test
