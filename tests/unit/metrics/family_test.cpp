#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

#include "metrics/registry.h"

namespace diagnose::metrics {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;
using Buckets = std::vector<std::pair<double, std::uint64_t>>;

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<std::byte> text_key(const std::string& text, std::size_t size = 16) {
  std::vector<std::byte> key(size);
  std::memcpy(key.data(), text.data(), text.size());
  return key;
}

Shape shape_of(Kind kind) {
  Shape shape;
  shape.name = "name";
  shape.kind = kind;
  shape.constant_labels = {{"probe", "p"}};
  shape.series_max = 10;
  return shape;
}

event::Column& add_column(Shape& shape, const std::string& name, event::ColumnType type, std::uint32_t size) {
  event::Column& column = shape.key.columns.emplace_back();
  column.name = name;
  column.type = type;
  column.offset = shape.key.size;
  column.size = size;
  shape.key.size += size;
  return column;
}

Shape with_text_label(Shape shape) {
  add_column(shape, "region", event::ColumnType::text, 16);
  return shape;
}

TEST(Family, AnUnlabelledCounterThatCountedNothingIsShownAsZero) {
  const Family family = family_of(shape_of(Kind::counter), {});
  ASSERT_EQ(family.series.size(), 1U);
  EXPECT_EQ(family.series[0].labels, Labels({{"probe", "p"}}));
  EXPECT_EQ(family.series[0].value, 0);
}

TEST(Family, AnUnlabelledHistogramThatSawNothingHasAllItsBuckets) {
  Shape shape = shape_of(Kind::histogram);
  shape.bounds = {1, 2};
  shape.shown_bounds = {1, 2};
  const Family family = family_of(shape, {});
  ASSERT_EQ(family.series.size(), 1U);
  EXPECT_EQ(family.series[0].histogram.buckets, Buckets({{1, 0}, {2, 0}, {infinity, 0}}));
}

TEST(Family, AGaugeThatWasNeverSetIsNotShownUnlessItAdds) {
  Shape shape = shape_of(Kind::gauge);
  for (const GaugeFold fold : {GaugeFold::set, GaugeFold::min, GaugeFold::max}) {
    shape.gauge = fold;
    EXPECT_TRUE(family_of(shape, {}).series.empty());
    EXPECT_TRUE(family_of(shape, {.series = {{.key = {}, .words = {7, 0}}}, .other = {}}).series.empty());
    EXPECT_EQ(family_of(shape, {.series = {{.key = {}, .words = {7, 1}}}, .other = {}}).series.size(), 1U);
  }
  shape.gauge = GaugeFold::add;
  ASSERT_EQ(family_of(shape, {}).series.size(), 1U);
  EXPECT_EQ(family_of(shape, {}).series[0].value, 0);
}

TEST(Family, ALabelledInstrumentShowsOnlyWhatWasSeen) {
  EXPECT_TRUE(family_of(with_text_label(shape_of(Kind::counter)), {}).series.empty());
}

TEST(Family, AHistogramsBucketsAreCumulativeAndItsTimesAreSeconds) {
  Shape shape = shape_of(Kind::histogram);
  shape.scale = 1e-9;
  shape.bounds = {1000, 2000};
  shape.shown_bounds = {1e-6, 2e-6};
  const Family family = family_of(shape, {.series = {{.key = {}, .words = {1'500'000, 3, 4, 5}}}, .other = {}});
  ASSERT_EQ(family.series.size(), 1U);
  const HistogramValue& shown = family.series[0].histogram;
  EXPECT_EQ(shown.buckets, Buckets({{1e-6, 3}, {2e-6, 7}, {infinity, 12}}));
  EXPECT_EQ(shown.count, 12U);
  EXPECT_EQ(shown.sum, 0.0015);  // exactly: one rounding
}

TEST(Family, ASumIsReadWithTheValuesSign) {
  Shape shape = shape_of(Kind::histogram);
  const Reading reading{.series = {{.key = {}, .words = {~0ULL, 1}}}, .other = {}};
  EXPECT_EQ(family_of(shape, reading).series[0].histogram.sum, -1);
  shape.value_is_signed = false;
  EXPECT_EQ(family_of(shape, reading).series[0].histogram.sum, std::ldexp(1.0, 64));
}

TEST(Family, TheSeriesOverTheLimitIsCalledOtherInEveryKeyColumn) {
  Shape shape = with_text_label(shape_of(Kind::counter));
  add_column(shape, "n", event::ColumnType::signed_integer, 8);
  const Family family = family_of(shape, {.series = {}, .other = {42}});
  ASSERT_EQ(family.series.size(), 1U);
  EXPECT_EQ(family.series[0].labels, Labels({{"probe", "p"}, {"region", "__other__"}, {"n", "__other__"}}));
  EXPECT_EQ(family.series[0].value, 42);
}

TEST(Family, AConstantColumnIsALabelOfTheOneSeries) {
  Shape shape = shape_of(Kind::counter);
  add_column(shape, "site", event::ColumnType::constant, 0).constant = "north";
  const Family family = family_of(shape, {});
  ASSERT_EQ(family.series.size(), 1U);
  EXPECT_EQ(family.series[0].labels, Labels({{"probe", "p"}, {"site", "north"}}));
}

TEST(Family, KeysThatReadTheSameBecomeOneSeries) {
  const Shape shape = with_text_label(shape_of(Kind::counter));
  const Family family = family_of(shape, {.series = {{.key = text_key("\xff"), .words = {1}},
                                                     {.key = text_key("eu"), .words = {10}},
                                                     {.key = text_key("\xfe"), .words = {2}},
                                                     {.key = text_key("__other__"), .words = {100}}},
                                          .other = {1000}});
  ASSERT_EQ(family.series.size(), 3U);
  EXPECT_EQ(family.series[0].labels[1].second, "\xef\xbf\xbd");
  EXPECT_EQ(family.series[0].value, 3);
  EXPECT_EQ(family.series[1].value, 10);
  EXPECT_EQ(family.series[2].value, 1100);
}

TEST(Family, EqualHistogramsAndExtremesJoinByTheirOwnRules) {
  Shape shape = with_text_label(shape_of(Kind::histogram));
  shape.bounds = {5};
  const Reading histograms{
      .series = {{.key = text_key("\xff"), .words = {3, 1, 0}}, {.key = text_key("\xfe"), .words = {9, 0, 1}}},
      .other = {}};
  const Family joined = family_of(shape, histograms);
  ASSERT_EQ(joined.series.size(), 1U);
  EXPECT_EQ(joined.series[0].histogram.buckets, Buckets({{5, 1}, {infinity, 2}}));
  EXPECT_EQ(joined.series[0].histogram.sum, 12);
  EXPECT_EQ(joined.series[0].histogram.count, 2U);

  shape = with_text_label(shape_of(Kind::gauge));
  const Reading gauges{
      .series = {{.key = text_key("\xff"), .words = {3, 1}}, {.key = text_key("\xfe"), .words = {9, 1}}}, .other = {}};
  for (const auto& [fold, expected] : {std::pair{GaugeFold::min, 3.0}, {GaugeFold::max, 9.0}, {GaugeFold::add, 12.0}}) {
    shape.gauge = fold;
    ASSERT_EQ(family_of(shape, gauges).series.size(), 1U);
    EXPECT_EQ(family_of(shape, gauges).series[0].value, expected);
  }
}

TEST(Family, ASeriesWithTooFewWordsIsLeftOut) {
  Shape shape = with_text_label(shape_of(Kind::histogram));
  shape.bounds = {1, 2, 3};
  EXPECT_TRUE(family_of(shape, {.series = {{.key = text_key("a"), .words = {1, 2}}}, .other = {}}).series.empty());
}

TEST(Merged, JoinsFamiliesOfOneNameInOrderOfNames) {
  Series one;
  one.value = 1;
  Series two;
  two.value = 2;
  const auto result = merged({{.name = "b", .help = "first", .unit = "", .kind = Kind::counter, .series = {one}},
                              {.name = "a", .help = "", .unit = "", .kind = Kind::gauge, .series = {}},
                              {.name = "b", .help = "second", .unit = "", .kind = Kind::counter, .series = {two}}});
  ASSERT_EQ(result.size(), 2U);
  EXPECT_EQ(result[0].name, "a");
  EXPECT_EQ(result[1].help, "first");
  ASSERT_EQ(result[1].series.size(), 2U);
  EXPECT_EQ(result[1].series[0].value, 1);
  EXPECT_EQ(result[1].series[1].value, 2);
}

TEST(Merged, AFamilyOfAnotherKindIsLeftOutAndEmptyHelpGivesWay) {
  const auto result =
      merged({{.name = "b", .help = "", .unit = "", .kind = Kind::counter, .series = {{}}},
              {.name = "b", .help = "gauge", .unit = "", .kind = Kind::gauge, .series = {{}}},
              {.name = "b", .help = "seconds", .unit = "seconds", .kind = Kind::counter, .series = {{}}},
              {.name = "b", .help = "help", .unit = "", .kind = Kind::counter, .series = {{}}}});
  ASSERT_EQ(result.size(), 1U);
  EXPECT_EQ(result[0].kind, Kind::counter);
  EXPECT_EQ(result[0].help, "help");
  EXPECT_EQ(result[0].series.size(), 2U);
}

}  // namespace
}  // namespace diagnose::metrics
