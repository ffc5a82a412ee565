#include "cli/excerpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace diagnose::cli {
namespace {

using testing::HasSubstr;

Error wrong() {
  return {.what = "where", .where = {}, .why = "no", .mend = {}};
}

std::string shown(const std::string& line, std::size_t column, std::size_t width = 80) {
  Style style;
  style.width = width;
  return excerpt({wrong(), line, column}, style);
}

TEST(Excerpt, ACaretStandsUnderThePlace) {
  EXPECT_EQ(shown("requ->x", 1), "    requ->x\n    ^\n");
  EXPECT_EQ(shown("arg0 > requ->x", 8), "    arg0 > requ->x\n           ^\n");
}

TEST(Excerpt, APlaceBehindTheLastCharacterIsShownThere) {
  EXPECT_EQ(shown("arg0 +", 7), "    arg0 +\n          ^\n");
}

TEST(Excerpt, IndentationIsLeftOutAndATabIsOneBlank) {
  EXPECT_EQ(shown("\t  value: arg0\t+", 10), "    value: arg0 +\n          ^\n");
}

TEST(Excerpt, CharactersOfSeveralBytesAndControlCharactersKeepTheCaretInItsPlace) {
  EXPECT_EQ(shown("\"ä\" == x", 9), "    \"ä\" == x\n           ^\n");
  EXPECT_EQ(shown("a\x01 x", 4), "    a\\x01 x\n          ^\n");
}

TEST(Excerpt, OfALongLineThePartAroundThePlaceIsShown) {
  const std::string line = std::string(500, 'a') + "X" + std::string(500, 'b');
  const std::string text = shown(line, 501, 60);
  const std::string first = text.substr(0, text.find('\n'));
  const std::string second = text.substr(first.size() + 1);
  EXPECT_LE(first.size(), 60U);
  EXPECT_EQ(first.find('X'), second.find('^'));
  EXPECT_THAT(first, HasSubstr("...a"));
  EXPECT_THAT(first, HasSubstr("b..."));
}

TEST(Excerpt, WithoutAPlaceInALineThereIsNone) {
  EXPECT_EQ(shown("arg0", 0), "");
  EXPECT_EQ(shown("", 1), "");
  EXPECT_EQ(shown("arg0", 6), "");
}

TEST(Excerpt, OnATerminalTheCaretIsColoured) {
  Style style;
  style.colour = true;
  EXPECT_EQ(excerpt({wrong(), "x", 1}, style), "    x\n    \x1b[1;31m^\x1b[0m\n");
}

TEST(Placed, AnErrorInAFileGetsTheLineThatItNames) {
  const auto found =
      placed({.what = {}, .where = "a:b.yaml:2:3", .why = {}, .mend = {}}, "a:b.yaml", "one\ntwo\r\nthree");
  EXPECT_EQ(found.line, "two");
  EXPECT_EQ(found.column, 3U);
}

// The column in the file of `meant`, a place in the scalar of `line`.
std::size_t column_of(const std::string& line, const std::string& where) {
  return placed({.what = {}, .where = where, .why = {}, .mend = {}}, "a.yaml", line).column;
}

TEST(Placed, EscapesInAQuotedScalarAreCounted) {
  const std::string twice = R"(  where: "comm == \"a\" && nosuch")";
  EXPECT_EQ(column_of(twice, "a.yaml:1:26"), twice.find("nosuch") + 1);
  EXPECT_EQ(column_of(twice, "a.yaml:1:11"), twice.find("comm") + 1);
  const std::string once = "  where: 'comm == ''a'' && nosuch'";
  EXPECT_EQ(column_of(once, "a.yaml:1:26"), once.find("nosuch") + 1);
  const std::string end = R"(  {a: "x\"", where: "arg0 >"})";
  EXPECT_EQ(column_of(end, "a.yaml:1:" + std::to_string(end.find(">") + 2)), end.find(">") + 2);
}

TEST(Placed, QuotesInAPlainScalarAreItsOwn) {
  const std::string line = R"(  where: comm == "a\"b" && nosuch)";
  EXPECT_EQ(column_of(line, "a.yaml:1:" + std::to_string(line.find("nosuch") + 1)), line.find("nosuch") + 1);
}

TEST(Placed, AnErrorElsewhereIsLeftAsItIs) {
  for (const char* where : {"", "a.yaml", "a.yaml:2", "b.yaml:2:1", "pid 12", "a.yaml:0:0", "a.yaml:x:1"}) {
    EXPECT_EQ(placed({.what = {}, .where = where, .why = {}, .mend = {}}, "a.yaml", "one\ntwo").column, 0U) << where;
  }
}

}  // namespace
}  // namespace diagnose::cli
