#include <cstring>
#include <gtest/gtest.h>
#include <limits>

#include "metrics/registry.h"

namespace diagnose::metrics {
namespace {

using Words = std::vector<std::uint64_t>;

Shape shape_of(Kind kind, bool is_signed = true) {
  Shape shape;
  shape.name = "name";
  shape.kind = kind;
  shape.value_is_signed = is_signed;
  return shape;
}

Shape counter() {
  return shape_of(Kind::counter);
}

Shape gauge(GaugeFold fold, bool is_signed = true) {
  Shape shape = shape_of(Kind::gauge, is_signed);
  shape.gauge = fold;
  return shape;
}

Shape histogram(std::vector<std::int64_t> bounds, bool is_signed = true) {
  Shape shape = shape_of(Kind::histogram, is_signed);
  shape.bounds = std::move(bounds);
  return shape;
}

Words folded(const Shape& shape, std::initializer_list<std::int64_t> values) {
  Words words(words_of(shape));
  for (const std::int64_t value : values) fold(shape, value, words);
  return words;
}

std::vector<std::byte> key_of(std::int64_t number) {
  std::vector<std::byte> key(sizeof(number));
  std::memcpy(key.data(), &number, sizeof(number));
  return key;
}

Shape labelled(Shape shape, std::size_t series_max) {
  shape.key.columns.emplace_back().name = "n";
  shape.key.size = 8;
  shape.series_max = series_max;
  return shape;
}

TEST(Fold, ACounterAddsAndNeverTakesANegativeValue) {
  EXPECT_EQ(folded(counter(), {1, 5, -3, 0}), Words({6}));
}

TEST(Fold, AnUnsignedCounterTakesValuesBeyondTheSignedRange) {
  Shape shape = counter();
  shape.value_is_signed = false;
  EXPECT_EQ(folded(shape, {std::numeric_limits<std::int64_t>::min()}), Words({1ULL << 63U}));
}

TEST(Fold, AGaugeKeepsTheLastValueOrTheSumOrTheExtremes) {
  EXPECT_EQ(folded(gauge(GaugeFold::set), {3, -7}), Words({static_cast<std::uint64_t>(-7), 2}));
  EXPECT_EQ(folded(gauge(GaugeFold::add), {3, -7}), Words({static_cast<std::uint64_t>(-4), 2}));
  EXPECT_EQ(folded(gauge(GaugeFold::min), {3, -7, 5}), Words({static_cast<std::uint64_t>(-7), 3}));
  EXPECT_EQ(folded(gauge(GaugeFold::max), {-9, -7, -8}), Words({static_cast<std::uint64_t>(-7), 3}));
}

TEST(Fold, AGaugesFirstValueIsAnExtremeWhateverTheWordHeldBefore) {
  EXPECT_EQ(folded(gauge(GaugeFold::min), {3}), Words({3, 1}));  // not 0
  EXPECT_EQ(folded(gauge(GaugeFold::max), {-3}), Words({static_cast<std::uint64_t>(-3), 1}));
}

TEST(Fold, AnUnsignedGaugeComparesWithoutASign) {
  constexpr std::int64_t huge = -1;  // 2^64 - 1
  EXPECT_EQ(folded(gauge(GaugeFold::max, false), {7, huge, 8}), Words({~0ULL, 3}));
  EXPECT_EQ(folded(gauge(GaugeFold::min, false), {huge, 7}), Words({7, 2}));
}

TEST(Fold, AHistogramsBoundsAreInclusive) {
  //                                                              sum  <=0 <=10 <=20 +Inf
  EXPECT_EQ(folded(histogram({0, 10, 20}), {0, 10, 11, 20, 21}), Words({62, 1, 1, 2, 1}));
}

TEST(Fold, AHistogramTakesNegativeValuesIntoItsSum) {
  EXPECT_EQ(folded(histogram({-5, 0}), {-5, -4, 1}), Words({static_cast<std::uint64_t>(-8), 1, 1, 1}));
}

TEST(Fold, AnUnsignedHistogramPutsHugeValuesIntoTheLastBucketAndNoneBelowZero) {
  EXPECT_EQ(folded(histogram({-5, 10}, false), {-1, 0}), Words({~0ULL, 0, 1, 1}));
}

TEST(Fold, WordsThatAreTooFewAreLeftAlone) {
  Words words(2, 0);
  fold(histogram({1, 2}), 1, words);
  EXPECT_EQ(words, Words({0, 0}));
}

TEST(Accumulator, KeepsASeriesForEachKey) {
  Accumulator accumulator(labelled(counter(), 10));
  accumulator.add(key_of(1), 1);
  accumulator.add(key_of(2), 5);
  accumulator.add(key_of(1), 2);
  const Reading reading = accumulator.read();
  ASSERT_EQ(reading.series.size(), 2U);
  EXPECT_EQ(reading.series[0].key, key_of(1));
  EXPECT_EQ(reading.series[0].words, Words({3}));
  EXPECT_EQ(reading.series[1].words, Words({5}));
  EXPECT_TRUE(reading.other.empty());
}

TEST(Accumulator, PutsWhatIsOverTheSeriesLimitIntoOtherAndLosesNothing) {
  Accumulator accumulator(labelled(counter(), 3));
  std::uint64_t sum = 0;
  for (std::int64_t key = 0; key < 10; ++key) {
    for (std::int64_t value = 1; value <= 2; ++value) {
      accumulator.add(key_of(key), value);
      sum += static_cast<std::uint64_t>(value);
    }
  }
  const Reading reading = accumulator.read();
  EXPECT_EQ(reading.series.size(), 3U);
  ASSERT_EQ(reading.other.size(), 1U);
  std::uint64_t kept = reading.other[0];
  for (const Folded& folded : reading.series) kept += folded.words[0];
  EXPECT_EQ(kept, sum);
}

TEST(Accumulator, ANegativeValueMakesNoSeriesOfACounter) {
  Accumulator accumulator(labelled(counter(), 1));
  accumulator.add(key_of(1), -1);
  EXPECT_TRUE(accumulator.read().series.empty());
}

TEST(Accumulator, WithoutLabelsTheSeriesLimitDoesNotCount) {
  Accumulator accumulator(counter());
  accumulator.add({}, 4);
  ASSERT_EQ(accumulator.read().series.size(), 1U);
  EXPECT_EQ(accumulator.read().series[0].words, Words({4}));
}

TEST(Accumulator, GoesOnWhereAnEarlierOneWasRead) {
  Accumulator earlier(counter());
  earlier.add({}, 5);
  Accumulator later(counter());
  later.resume(earlier.read());
  later.add({}, 2);
  ASSERT_EQ(later.read().series.size(), 1U);
  EXPECT_EQ(later.read().series.front().words, Words{7});
}

}  // namespace
}  // namespace diagnose::metrics
