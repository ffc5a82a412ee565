// Each instrument, each kind of value, against what the program says of itself.
#include <gtest/gtest.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

TEST(Instruments, GaugesKeepTheLastTheLeastTheMostAndTheSum) {
  Program program({"threads", "1", "1000"});
  Rig rig("target: {" + target_of(program, "work") +
          "}, instruments: ["
          "{type: gauge, name: last, value: arg0},"
          "{type: gauge, name: least, value: arg0 - 500, operation: min},"
          "{type: gauge, name: most, value: arg0 - 2000, operation: max},"
          "{type: gauge, name: up, operation: inc},"
          "{type: gauge, name: down, operation: dec, value: 2},"
          "{type: gauge, name: labelled, value: arg0, labels: {l: arg0 % 4}, operation: max}]");
  rig.attach();
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(rig.value(0), 999);
  EXPECT_EQ(rig.value(1), -500);
  EXPECT_EQ(rig.value(2), -1001);
  EXPECT_EQ(rig.value(3), 1000);
  EXPECT_EQ(rig.value(4), -2000);
  const std::map<std::string, std::int64_t> most = {{"0", 996}, {"1", 997}, {"2", 998}, {"3", 999}};
  EXPECT_EQ(rig.by_label(5), most);
}

TEST(Instruments, HistogramsPutEachValueInItsBucket) {
  Program program({"threads", "1", "1000"});
  Rig rig("target: {" + target_of(program, "work") +
          "}, instruments: ["
          "{type: histogram, name: linear, value: arg0, buckets: {linear: {start: 100, width: 100, count: 3}}},"
          "{type: histogram, name: explicit, value: arg0, buckets: {explicit: [0, 1, 9.5]}},"
          "{type: histogram, name: labelled, value: arg0, buckets: {explicit: [499]}, labels: {odd: arg0 % 2 == 1}}]");
  rig.attach();
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 1000);
  // Word 0 is the sum; bounds are inclusive.
  EXPECT_EQ(rig.words(0).series.at(0).words, (std::vector<std::uint64_t>{499'500, 101, 100, 100, 699}));
  EXPECT_EQ(rig.words(1).series.at(0).words, (std::vector<std::uint64_t>{499'500, 1, 1, 8, 990}));
  EXPECT_EQ(rig.by_label(2), (std::map<std::string, std::int64_t>{{"false", 249'500}, {"true", 250'000}}));
}

TEST(Instruments, WhereCountsOnlyWhatItLetsThrough) {
  Program program({"threads", "2", "1000"});
  Rig rig("target: {" + target_of(program, "work") +
          "}, "
          "instrument: {type: counter, name: some, where: \"arg0 >= 500 && arg0 < 1500\", value: arg0}");
  rig.attach();
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(rig.value(), (500 + 1499) * 1000 / 2);
  EXPECT_EQ(rig.hits(), 2000U);
}

TEST(Instruments, ANegativeValueIsRefusedByACounterAndCounted) {
  Program program({"threads", "1", "1000"});
  Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: counter, name: some, value: arg0 - 100}");
  rig.attach();
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(rig.value(), 899 * 900 / 2);
  EXPECT_EQ(rig.lost(LOSS_REFUSED), 100U);
}

TEST(Instruments, ACommandNameIsALabel) {
  Program program({"threads", "1", "10"});
  Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: counter, name: some, labels: {c: comm}}");
  rig.attach();
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 10);
  EXPECT_EQ(rig.by_label(), (std::map<std::string, std::int64_t>{{"threads", 10}}));
}

TEST(Instruments, SixteenInstrumentsFitOnOneFunction) {
  Program program({"threads", "1", "1000"});
  std::string instruments;
  for (int i = 0; i < 16; ++i) {
    instruments += "{type: histogram, name: h" + std::to_string(i) + ", value: arg0 + " + std::to_string(i) + "},";
  }
  Rig rig("target: {" + target_of(program, "work") + "}, instruments: [" + instruments + "]");
  rig.attach();
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 1000);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(rig.value(i), 499'500 + static_cast<std::int64_t>(i) * 1000);
}

}  // namespace
}  // namespace diagnose::test
