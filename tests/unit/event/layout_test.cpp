#include "event/layout.h"

#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <set>
#include <string_view>

namespace diagnose::event {
namespace {

using namespace std::chrono_literals;

std::vector<std::byte> words(const std::vector<std::uint64_t>& values) {
  std::vector<std::byte> bytes(values.size() * 8);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<std::byte> text_bytes(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

Column column(ColumnType type, std::uint32_t offset = 0, std::uint32_t size = 8) {
  return {.name = "c", .type = type, .offset = offset, .size = size, .constant = {}, .null_bit = -1};
}

TEST(Layout, EachTypeOfColumnIsDecodedFromItsOffset) {
  const auto bytes = words({7, static_cast<std::uint64_t>(-3)});
  EXPECT_EQ(value_of(column(ColumnType::signed_integer, 8), bytes), Value(std::int64_t{-3}));
  EXPECT_EQ(value_of(column(ColumnType::unsigned_integer, 8), bytes), Value(~std::uint64_t{0} - 2));
  EXPECT_EQ(value_of(column(ColumnType::boolean, 0), bytes), Value(true));
  EXPECT_EQ(value_of(column(ColumnType::boolean, 0), words({0})), Value(false));
  EXPECT_EQ(value_of(column(ColumnType::nanoseconds, 0), bytes), Value(7ns));
}

TEST(Layout, TextEndsAtItsNulOrItsSize) {
  using namespace std::string_view_literals;
  EXPECT_EQ(value_of(column(ColumnType::text, 0, 8), text_bytes("abc\0\0\0\0\0"sv)), Value(std::string("abc")));
  EXPECT_EQ(value_of(column(ColumnType::text, 8, 8), text_bytes("........abcdefg\0"sv)), Value(std::string("abcdefg")));
}

TEST(Layout, ATextThatWentOnIsMarkedInItsLastByte) {
  using namespace std::string_view_literals;
  const auto whole = text_bytes("abcdefg\0abcdefg\0"sv);
  const auto longer = text_bytes("abcdefg\1abcdefg\0"sv);
  EXPECT_EQ(value_of(column(ColumnType::text), longer), Value(std::string("abcdefg")));
  EXPECT_TRUE(is_truncated(column(ColumnType::text), longer));
  EXPECT_FALSE(is_truncated(column(ColumnType::text), whole));
  EXPECT_FALSE(is_truncated(column(ColumnType::text, 8), longer));
  EXPECT_FALSE(is_truncated(column(ColumnType::unsigned_integer), longer));
  EXPECT_FALSE(is_truncated(column(ColumnType::text, 12), longer));
  const Layout layout{.columns = {column(ColumnType::text), column(ColumnType::unsigned_integer, 8)}, .size = 16};
  EXPECT_EQ(without_marks(layout, longer), whole);
  EXPECT_EQ(without_marks(layout, whole), whole);
}

TEST(Layout, AConstantNeedsNoBytes) {
  Column constant = column(ColumnType::constant, 400);
  constant.constant = "eu";
  EXPECT_EQ(value_of(constant, {}), Value(std::string("eu")));
}

TEST(Layout, TooFewBytesAreNull) {
  const auto bytes = words({1, 2});
  EXPECT_EQ(value_of(column(ColumnType::signed_integer, 9), bytes), Value());
  EXPECT_EQ(value_of(column(ColumnType::signed_integer, 0xffffffff), bytes), Value());
  EXPECT_EQ(value_of(column(ColumnType::text, 8, 0xffffffff), bytes), Value());
  EXPECT_EQ(value_of(column(ColumnType::signed_integer, 0), {}), Value());
}

TEST(Layout, AColumnIsNullOnlyIfItsOwnBitIsSet) {
  const auto bytes = words({(1ULL << 63U) | 2U, 5});
  Column nullable = column(ColumnType::signed_integer, 8);
  for (const int bit : {1, 63}) {
    nullable.null_bit = bit;
    EXPECT_EQ(value_of(nullable, bytes), Value()) << bit;
  }
  for (const int bit : {-1, 0, 2, 62}) {
    nullable.null_bit = bit;
    EXPECT_EQ(value_of(nullable, bytes), Value(std::int64_t{5})) << bit;
  }
}

TEST(Layout, ValuesAreShownAsPeopleReadThem) {
  EXPECT_EQ(text_of(Value()), "null");
  EXPECT_EQ(text_of(Value(std::int64_t{-12})), "-12");
  EXPECT_EQ(text_of(Value(~std::uint64_t{0})), "18446744073709551615");
  EXPECT_EQ(text_of(Value(true)), "true");
  EXPECT_EQ(text_of(Value(false)), "false");
  EXPECT_EQ(text_of(Value(std::string("a b"))), "a b");
}

TEST(Layout, TimesAreShownInSecondsExactly) {
  EXPECT_EQ(text_of(Value(1500us)), "0.0015");
  EXPECT_EQ(text_of(Value(0ns)), "0");
  EXPECT_EQ(text_of(Value(1ns)), "0.000000001");
  EXPECT_EQ(text_of(Value(std::chrono::nanoseconds(10s))), "10");
  EXPECT_EQ(text_of(Value(-1500us)), "-0.0015");
  EXPECT_EQ(text_of(Value(std::chrono::nanoseconds(std::numeric_limits<std::int64_t>::min()))),
            "-9223372036.854775808");
}

TEST(Layout, InvalidUtf8IsReplacedByteByByte) {
  const std::string replacement = "\xef\xbf\xbd";
  EXPECT_EQ(text_of(Value(std::string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x80"))),
            "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x80");
  EXPECT_EQ(text_of(Value(std::string("a\xff"
                                      "b"))),
            "a" + replacement + "b");
  EXPECT_EQ(text_of(Value(std::string("\xe2\x82"))), replacement + replacement);                    // cut in the middle
  EXPECT_EQ(text_of(Value(std::string("\xc0\xaf"))), replacement + replacement);                    // overlong
  EXPECT_EQ(text_of(Value(std::string("\xed\xa0\x80"))), replacement + replacement + replacement);  // surrogate
  EXPECT_EQ(text_of(Value(std::string("\xf4\x90\x80\x80"))).size(), 4 * replacement.size());
}

TEST(Layout, EveryLossHasANameOfItsOwn) {
  std::set<std::string> names;
  for (unsigned reason = 0; reason < LOSS_COUNT; ++reason) names.insert(loss_name(reason));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(LOSS_COUNT));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_STREQ(loss_name(LOSS_RING_FULL), "ring_full");
  EXPECT_STREQ(loss_name(LOSS_UNREADABLE), "unreadable");
  EXPECT_STREQ(loss_name(LOSS_OVERFLOW), "overflow");
  EXPECT_STREQ(loss_name(LOSS_COUNT), "unknown");
}

}  // namespace
}  // namespace diagnose::event
