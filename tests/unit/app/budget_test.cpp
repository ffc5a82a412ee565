#include "app/budget.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

constexpr BootClock::time_point start{1h};

Spending armed(double price_ns) {
  Spending spending;
  spending.restart(start);
  spending.set_price(price_ns);
  return spending;
}

TEST(Spending, AShareIsNewHitsTimesThePriceOverTheWindow) {
  Spending spending = armed(10'000);
  spending.count(3'000);
  spending.look(start + 500ms);
  EXPECT_DOUBLE_EQ(spending.share(), 0.06);
  EXPECT_DOUBLE_EQ(spending.hits_a_second(), 6'000);
  EXPECT_EQ(spending.window(), 500ms);
  spending.count(3'500);
  spending.look(start + 1500ms);
  EXPECT_DOUBLE_EQ(spending.share(), 0.005);
  EXPECT_DOUBLE_EQ(spending.hits_a_second(), 500);
  EXPECT_DOUBLE_EQ(spending.seconds(), 0.035);
}

TEST(Spending, CountsBetweenLooksAllGoIntoTheWindow) {
  Spending spending = armed(1'000);
  for (std::uint64_t hits = 100; hits <= 1'000; hits += 100) spending.count(hits);
  spending.look(start + 1s);
  EXPECT_DOUBLE_EQ(spending.share(), 0.001);
}

TEST(Spending, HitsArePaidAtThePriceOfTheirTime) {
  Spending spending = armed(1'000);
  spending.count(1'000'000);
  spending.set_price(500);
  spending.count(3'000'000);
  EXPECT_DOUBLE_EQ(spending.seconds(), 2);
}

TEST(Spending, WhatIsPaidBesideTheHitsIsInTheShare) {
  Spending spending = armed(1'000);
  spending.count(1'000);
  spending.charge_ns(4'000'000);
  spending.look(start + 1s);
  EXPECT_DOUBLE_EQ(spending.share(), 0.005);
  EXPECT_DOUBLE_EQ(spending.seconds(), 0.005);
}

TEST(Spending, WhatAReaderSeesBetweenCountsNeverGoesBack) {
  Spending spending = armed(2'000);
  const double before = spending.seconds_at(500);
  spending.count(500);
  spending.set_price(10);
  EXPECT_DOUBLE_EQ(before, 0.001);
  EXPECT_DOUBLE_EQ(spending.seconds_at(500), before);
  EXPECT_DOUBLE_EQ(spending.seconds_at(400), before);
}

TEST(Spending, AWindowWithoutLengthHasNoShare) {
  Spending spending = armed(1'000);
  spending.count(1'000);
  spending.look(start);
  EXPECT_EQ(spending.share(), 0);
  EXPECT_EQ(spending.hits_a_second(), 0);
}

TEST(Spending, NewProgramsStartFromNothing) {
  Spending spending = armed(1'000);
  spending.count(1'000'000);
  spending.restart(start + 10s);
  spending.set_price(1'000);
  spending.count(1'000);
  spending.look(start + 11s);
  EXPECT_DOUBLE_EQ(spending.seconds(), 0.001);
  EXPECT_DOUBLE_EQ(spending.share(), 0.001);
}

TEST(Spending, TheFiguresAreToldAsAPersonReadsThem) {
  Spending spending = armed(24'000);
  spending.count(3'100);
  spending.look(start + 1s);
  EXPECT_EQ(cost_text(spending), "7.44 % of a core (3,100 hits/s x 24 us)");
  Spending fast = armed(389.6);
  fast.count(1'234'567);
  fast.look(start + 1s);
  EXPECT_EQ(cost_text(fast), "48.1 % of a core (1,234,567 hits/s x 390 ns)");
  EXPECT_EQ(share_text(0.05), "5 % of a core");
}

TEST(Excess, TwoSecondsOverTheBudgetInARowAreTooLong) {
  Excess excess;
  for (int window = 0; window < 3; ++window) excess.window(500ms, 0.06, 0.05);
  EXPECT_FALSE(excess.too_long());
  excess.window(500ms, 0.06, 0.05);
  EXPECT_TRUE(excess.too_long());
}

TEST(Excess, AWindowWithinTheBudgetStartsTheCountAgain) {
  Excess excess;
  for (int window = 0; window < 3; ++window) excess.window(500ms, 0.06, 0.05);
  excess.window(500ms, 0.05, 0.05);
  for (int window = 0; window < 3; ++window) excess.window(500ms, 0.06, 0.05);
  EXPECT_FALSE(excess.too_long());
}

TEST(Excess, OneLongWindowWithABurstInItIsNotTooLong) {
  Excess excess;
  excess.window(1h, 0.5, 0.05);
  EXPECT_FALSE(excess.too_long());
}

TEST(Excess, WindowsThatARoundedTimerMakesAreLongEnough) {
  Excess excess;
  for (int window = 0; window < 4; ++window) excess.window(500ms - 1us, 0.06, 0.05);
  EXPECT_TRUE(excess.too_long());
}

}  // namespace
}  // namespace diagnose::app
