#include "spec/words.h"

#include <gtest/gtest.h>

#include "spec/read.h"

namespace diagnose::spec {
namespace {

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> known{"labels", "value", "where", "type", "name", "event", "help"};
  EXPECT_EQ(nearest("lable", known), "labels");
  EXPECT_EQ(nearest("label", known), "labels");
  EXPECT_EQ(nearest("vlaue", known), "value");  // a transposition is one step
  EXPECT_EQ(nearest("Where", known), "where");
  EXPECT_EQ(nearest("tpye", known), "type");
  EXPECT_EQ(nearest("nam", known), "name");
  EXPECT_EQ(nearest("evnet", known), "event");
}

TEST(Nearest, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest("colour", {"labels", "value"}), "");
  EXPECT_EQ(nearest("", {"labels"}), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'l'), {"labels"}), "");
}

TEST(Nearest, TheFirstOfTwoEquallyNearWins) {
  EXPECT_EQ(nearest("cat", {"bat", "hat"}), "bat");
  EXPECT_EQ(nearest("cat", {"dogs", "cat"}), "cat");
}

TEST(Words, TextIsShownShortAndPrintable) {
  EXPECT_EQ(ticked("a b"), "`a b`");
  EXPECT_EQ(ticked("a\nb\x1b"), "`a\\nb\\x1b`");
  EXPECT_EQ(ticked(std::string(100, 'x')), "`" + std::string(80, 'x') + "...`");
  EXPECT_EQ(one_of({"a"}), "`a`");
  EXPECT_EQ(one_of({"a", "b", "c"}), "`a`, `b` or `c`");
}

}  // namespace
}  // namespace diagnose::spec
