#include "metrics/registry.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

namespace diagnose::metrics {
namespace {

using ::testing::HasSubstr;
using Labels = std::vector<std::pair<std::string, std::string>>;

Shape shape_of(const std::string& probe, const std::string& name, Kind kind = Kind::counter, std::string unit = "") {
  Shape shape;
  shape.name = name;
  shape.unit = std::move(unit);
  shape.kind = kind;
  shape.constant_labels = {{"probe", probe}};
  return shape;
}

Shape with_label(Shape shape, const std::string& name) {
  shape.key.columns.emplace_back().name = name;
  shape.key.size = 8;
  return shape;
}

Registry::Read reads(std::uint64_t value) {
  return [value] { return Reading{.series = {{.key = {}, .words = {value, 1}}}, .other = {}}; };
}

Registry::Read fails() {
  return []() -> Result<Reading> { return failure({.what = "read", .where = "", .why = "gone", .mend = ""}); };
}

TEST(Registry, SeriesAreReadAtEachCollect) {
  Registry registry;
  std::uint64_t now = 1;
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"),
                           [&] { return Reading{.series = {{.key = {}, .words = {now}}}, .other = {}}; }));
  EXPECT_EQ(registry.collect().at(0).series.at(0).value, 1);
  now = 2;
  EXPECT_EQ(registry.collect().at(0).series.at(0).value, 2);
}

TEST(Registry, TwoProbesShareANameOfOneKindAndUnit) {
  Registry registry;
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), reads(1)));
  ASSERT_TRUE(registry.add("q", shape_of("q", "calls"), reads(2)));
  const auto families = registry.collect();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].series.size(), 2U);
}

TEST(Registry, ANameTakenWithAnotherKindIsRefusedNamingTheProbeThatHasIt) {
  Registry registry;
  ASSERT_TRUE(registry.add("first", shape_of("first", "calls"), reads(1)));
  const Status status = registry.add("second", shape_of("second", "calls", Kind::gauge), reads(1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text(),
            "metric `calls`: second: the name is taken by probe `first`, as a counter; this is a gauge: choose another "
            "name, or use the same type and unit in both");
  EXPECT_EQ(registry.collect().size(), 1U);
}

TEST(Registry, ANameTakenWithAnotherUnitIsRefused) {
  Registry registry;
  ASSERT_TRUE(registry.add("first", shape_of("first", "size", Kind::gauge, "bytes"), reads(1)));
  const Status status = registry.add("second", shape_of("second", "size", Kind::gauge), reads(1));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().why, HasSubstr("as a gauge in bytes"));
}

TEST(Registry, NamesThatMeetOnlyInTheExpositionAreRefusedToo) {
  Registry registry;
  ASSERT_TRUE(registry.add("h", shape_of("h", "request", Kind::histogram), reads(0)));
  ASSERT_TRUE(registry.add("c", shape_of("c", "hits"), reads(0)));
  for (const char* name : {"request_count", "request_sum", "request_bucket", "hits_total"}) {
    const Status status = registry.add("g", shape_of("g", name, Kind::gauge), reads(0));
    ASSERT_FALSE(status) << name;
    EXPECT_THAT(status.error().why, HasSubstr(std::string("`") + name + "` is taken by probe"));
  }
  EXPECT_TRUE(registry.add("g", shape_of("g", "request_size", Kind::gauge), reads(0)));
}

TEST(Registry, AProbeMayNotHaveOneNameTwiceForItsSeriesWouldBeTheSame) {
  Registry registry;
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), reads(1)));
  const Status status = registry.add("p", shape_of("p", "calls"), reads(2));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().why, HasSubstr("another instrument of that name"));
}

TEST(Registry, LabelsThatClashAndOurOwnNamesAreRefused) {
  Registry registry;
  EXPECT_FALSE(registry.add("p", with_label(shape_of("p", "calls"), "probe"), reads(1)));
  EXPECT_FALSE(registry.add("p", with_label(shape_of("p", "took", Kind::histogram), "le"), reads(1)));
  EXPECT_FALSE(registry.add("p", shape_of("p", "diagnose_probe_hits"), reads(1)));
  EXPECT_TRUE(registry.collect().empty());
}

TEST(Registry, ARetiredProbeKeepsItsLastValuesUntilItIsDropped) {
  Registry registry;
  int calls = 0;
  const auto alive = std::make_shared<int>(0);
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), [&calls, alive] {
    ++calls;
    return Reading{.series = {{.key = {}, .words = {41U + static_cast<std::uint64_t>(calls)}}}, .other = {}};
  }));
  registry.retire("p");
  EXPECT_EQ(alive.use_count(), 1);  // the maps behind it have been let go
  EXPECT_EQ(registry.collect().at(0).series.at(0).value, 42);
  EXPECT_EQ(registry.collect().at(0).series.at(0).value, 42);
  EXPECT_EQ(calls, 1);
  registry.drop("p");
  EXPECT_TRUE(registry.collect().empty());
}

TEST(Registry, ARetiredInstrumentStillHoldsItsNameAgainstOthersAndGivesWayToItsOwnProbe) {
  Registry registry;
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), reads(1)));
  registry.retire("p");
  EXPECT_FALSE(registry.add("q", shape_of("q", "calls", Kind::gauge), reads(1)));
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), reads(7)));
  const auto families = registry.collect();
  ASSERT_EQ(families.at(0).series.size(), 1U);
  EXPECT_EQ(families[0].series[0].value, 7);
}

TEST(Registry, AReadThatFailsLeavesThatInstrumentOutAndIsCounted) {
  Registry registry;
  ASSERT_TRUE(registry.add("bad", shape_of("bad", "broken"), fails()));
  ASSERT_TRUE(registry.add("good", shape_of("good", "calls"), reads(1)));
  (void)registry.collect();
  const auto families = registry.collect();
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].name, "calls");
  EXPECT_EQ(families[1].name, "diagnose_probe_errors");
  EXPECT_EQ(families[1].series.at(0).labels, Labels({{"probe", "bad"}, {"kind", "read"}}));
  EXPECT_EQ(families[1].series[0].value, 2);
}

TEST(Registry, AnInstrumentWhoseLastReadFailsIsNotShownAsZero) {
  Registry registry;
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), fails()));
  registry.retire("p");
  const auto families = registry.collect();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].name, "diagnose_probe_errors");
}

TEST(Registry, OwnFamiliesAreMadeAfreshAndWinOverInstrumentsOfTheirName) {
  Registry registry;
  int made = 0;
  registry.add_own([&] {
    ++made;
    Series series;
    series.value = made;
    return std::vector<Family>{
        {.name = "process_threads", .help = "own", .unit = "", .kind = Kind::gauge, .series = {series}}};
  });
  ASSERT_TRUE(registry.add("p", shape_of("p", "process_threads"), reads(9)));
  (void)registry.collect();
  const auto families = registry.collect();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].kind, Kind::gauge);
  EXPECT_EQ(families[0].series.at(0).value, 2);
}

TEST(Registry, OneProbesSeriesCanBeHadAlone) {
  Registry registry;
  registry.add_own(
      [] { return std::vector<Family>{{.name = "own", .help = "", .unit = "", .kind = Kind::gauge, .series = {{}}}}; });
  ASSERT_TRUE(registry.add("p", shape_of("p", "calls"), reads(1)));
  ASSERT_TRUE(registry.add("q", shape_of("q", "calls"), reads(2)));
  const auto families = registry.collect("q");
  ASSERT_EQ(families.size(), 1U);
  ASSERT_EQ(families[0].series.size(), 1U);
  EXPECT_EQ(families[0].series[0].value, 2);
}

TEST(Registry, CollectsWhileProbesComeAndGo) {
  Registry registry;
  ASSERT_TRUE(registry.add("steady", shape_of("steady", "calls"), reads(5)));
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> collected = 0;
  std::thread scraper([&] {
    while (!done || collected == 0) {
      const auto families = registry.collect();
      // "steady" is there in every scrape, and no series is there twice.
      bool steady = false;
      for (const Family& family : families) {
        for (const Series& series : family.series) steady = steady || series.labels.at(0).second == "steady";
      }
      if (!steady || families.at(0).series.size() > 2) ++wrong;
      ++collected;
    }
  });
  for (int i = 0; i < 500; ++i) {
    if (!registry.add("guest", shape_of("guest", "calls"), reads(1))) ++wrong;
    if (i % 2 == 0) registry.retire("guest");
    registry.drop("guest");
  }
  done = true;
  scraper.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Accumulator, IsReadWhileItIsAddedTo) {
  Accumulator accumulator(shape_of("p", "calls"));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    std::uint64_t last = 0;
    while (!done) {
      const Reading reading = accumulator.read();
      const std::uint64_t now = reading.series.empty() ? 0 : reading.series[0].words[0];
      EXPECT_GE(now, last);
      last = now;
    }
  });
  for (int i = 0; i < 20'000; ++i) accumulator.add({}, 1);
  done = true;
  reader.join();
  EXPECT_EQ(accumulator.read().series.at(0).words.at(0), 20'000U);
}

}  // namespace
}  // namespace diagnose::metrics
