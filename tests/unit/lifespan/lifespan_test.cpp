#include "lifespan/lifespan.h"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

namespace diagnose::lifespan {
namespace {

using namespace std::chrono_literals;

TEST(Lifespan, ReadsEveryFormOfTheContract) {
  const std::vector<std::pair<std::string, Lifespan>> forms{
      {"10", {.time = 10min, .hits = {}}},
      {"90s", {.time = 90s, .hits = {}}},
      {"10m", {.time = 10min, .hits = {}}},
      {"2h", {.time = 2h, .hits = {}}},
      {"7d", {.time = 168h, .hits = {}}},
      {" 7 d ", {.time = 168h, .hits = {}}},
      {"500 hits", {.time = {}, .hits = 500}},
      {"1 hit", {.time = {}, .hits = 1}},
      {"10m or 500 hits", {.time = 10min, .hits = 500}},
      {"500 hits or 10", {.time = 10min, .hits = 500}},
      {"forever", {.time = {}, .hits = {}}},
      {"36525d", {.time = 36'525 * 24h, .hits = {}}},
      {"9223372036854775807 hits", {.time = {}, .hits = 9'223'372'036'854'775'807U}},
  };
  for (const auto& [written, expected] : forms) {
    const auto read = parse(written);
    ASSERT_TRUE(read) << written << ": " << read.error().text();
    EXPECT_EQ(*read, expected) << written;
  }
}

TEST(Lifespan, RefusesEverythingElseWithAReasonAndAMend) {
  const std::vector<std::pair<std::string, std::string>> refused{
      {"", "it is empty"},
      {"   ", "a part of it is empty"},
      {"0", "it must be greater than zero"},
      {"0s", "it must be greater than zero"},
      {"-5m", "it must be greater than zero"},
      {"0 hits", "it must be greater than zero"},
      {"soon", "`soon` does not begin with a number"},
      {"+5m", "`+5m` does not begin with a number"},
      {"5 parsecs", "`parsecs` is not a unit of time"},
      {"1.5h", "`.5h` is not a unit of time"},
      {"10M", "`M` is not a unit of time"},
      {"10m or", "`m or` is not a unit of time"},
      {"10m or  or 5 hits", "a part of it is empty"},
      {"10m or 2h", "it has two times"},
      {"1 hits or 2 hits", "it has two numbers of hits"},
      {"forever or 5 hits", "`forever` stands alone"},
      {"5 hits or forever", "`forever` stands alone"},
      {"36526d", "it is longer than 100 years"},
      {"18446744073709551615", "it is longer than 100 years"},
      {"18446744073709551616", "the number is too large"},
      {"99999999999999999999999999999999999999d", "the number is too large"},
      {"9223372036854775808 hits", "the number is too large"},
  };
  for (const auto& [written, why] : refused) {
    const auto read = parse(written);
    ASSERT_FALSE(read) << written;
    EXPECT_EQ(read.error().why, why) << written;
    EXPECT_FALSE(read.error().mend.empty()) << written;
  }
}

TEST(Lifespan, AMegabyteOfDigitsMakesAShortError) {
  const auto read = parse(std::string(1U << 20U, '9'));
  ASSERT_FALSE(read);
  EXPECT_LT(read.error().text().size(), 300U);
}

TEST(Lifespan, TextIsTheShortestWithAUnitAndReadsBack) {
  const std::vector<std::pair<std::string, std::string>> texts{
      {"10", "10m"},          {"60", "1h"},
      {"90s", "90s"},         {"48h", "2d"},
      {"3600s", "1h"},        {"500 hits", "500 hits"},
      {"1 hits", "1 hit"},    {"5 hits or 600s", "10m or 5 hits"},
      {"forever", "forever"},
  };
  for (const auto& [written, expected] : texts) {
    const Lifespan lifespan = parse(written).value();
    EXPECT_EQ(text(lifespan), expected);
    EXPECT_EQ(parse(text(lifespan)).value(), lifespan);
  }
  EXPECT_EQ(text({.time = 1ms, .hits = {}}), "1s");
}

TEST(Lifespan, ExpiryIsLastmodifiedPlusLifespanAndNeverOverflows) {
  const auto start = parse_rfc3339("2026-11-20T12:00:00Z").value();
  EXPECT_EQ(rfc3339(*expiry(parse("10").value(), start)), "2026-11-20T12:10:00Z");
  EXPECT_EQ(rfc3339(*expiry(parse("7d or 5 hits").value(), start)), "2026-11-27T12:00:00Z");
  EXPECT_FALSE(expiry(parse("500 hits").value(), start));
  EXPECT_FALSE(expiry(parse("forever").value(), start));
  const auto late = parse_rfc3339("2250-01-01T00:00:00Z").value();
  EXPECT_EQ(expiry(parse("36525d").value(), late), Clock::time_point::max());
  EXPECT_EQ(expiry({.time = std::chrono::milliseconds::max(), .hits = {}}, start), Clock::time_point::max());
  const auto early = parse_rfc3339("1700-01-01T00:00:00Z").value();
  EXPECT_EQ(rfc3339(*expiry(parse("1d").value(), early)), "1700-01-02T00:00:00Z");
}

TEST(Rfc3339, ReadsOffsetsFractionsAndLeapSeconds) {
  const std::vector<std::pair<std::string, std::string>> times{
      {"2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"},
      {"2026-11-20t12:00:00z", "2026-11-20T12:00:00Z"},
      {"2026-11-20 12:00:00Z", "2026-11-20T12:00:00Z"},
      {"2026-11-20T13:30:00+01:30", "2026-11-20T12:00:00Z"},
      {"2026-11-20T04:00:00-08:00", "2026-11-20T12:00:00Z"},
      {"2024-02-29T23:59:60Z", "2024-03-01T00:00:00Z"},
      {"2026-11-20T12:00:00.999999999999Z", "2026-11-20T12:00:00Z"},
      {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"},
  };
  for (const auto& [written, shown] : times) {
    const auto time = parse_rfc3339(written);
    ASSERT_TRUE(time) << written;
    EXPECT_EQ(rfc3339(*time), shown) << written;
  }
  EXPECT_EQ(parse_rfc3339("2026-11-20T12:00:00.25Z").value() - parse_rfc3339("2026-11-20T12:00:00Z").value(), 250ms);
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const std::string written :
       {"", "today", "2026-11-20", "2026-11-20T12:00Z", "2026-11-20T12:00:00", "2026-13-20T12:00:00Z",
        "2026-02-29T12:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T12:60:00Z", "2026-11-20T12:00:61Z",
        "2026-11-20T12:00:00.Z", "2026-11-20T12:00:00+24:00", "2026-11-20T12:00:00+0100", "2026-11-20T12:00:00ZZ",
        "26-11-20T12:00:00Z", "9999-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-026-11-20T12:00:00Z"}) {
    const auto time = parse_rfc3339(written);
    ASSERT_FALSE(time) << written;
    EXPECT_FALSE(time.error().why.empty());
    EXPECT_FALSE(time.error().mend.empty());
  }
}

}  // namespace
}  // namespace diagnose::lifespan
