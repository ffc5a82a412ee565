#include "app/written.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lifespan/lifespan.h"
#include "spec/read.h"

namespace diagnose::app {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::SizeIs;

// What a client is told whose spec has an error `into` bytes into its `where`.
control::Refusal refused(const std::string& where, std::size_t into) {
  const std::string text =
      json{{"probes",
            {{"x",
              {{"target", "libc.so.6:f"},
               {"instrument", {{"type", "counter"}, {"name", "x"}, {"where", where}, {"labels", {{"a", "arg0"}}}}}}}}}}
          .dump();
  const spec::Document document = spec::read(text, "attach", lifespan::Clock::now());
  EXPECT_THAT(document.probes, SizeIs(1)) << (document.faults.empty() ? "" : document.faults.front().text());
  if (document.probes.empty()) return {Error{}};
  spec::Place place = document.probes.front().instruments.front().where->place;
  place.column += static_cast<int>(into);
  return refusal({{.what = "where", .where = place.text(), .why = "no", .mend = "mend"}}, text, "attach");
}

TEST(Written, AnErrorInAnExpressionIsToldAsTheExpressionAndThePlaceInIt) {
  const auto told = refused("arg0 > requ->x", 7);
  EXPECT_EQ(told.error.text(), "where: `arg0 > requ->x`: no: mend");
  ASSERT_THAT(told.each, SizeIs(1));
  EXPECT_EQ(told.each.front().line, "arg0 > requ->x");
  EXPECT_EQ(told.each.front().column, 8U);
}

TEST(Written, AnExpressionThatEndsTooEarlyIsPointedAtBehindItsEnd) {
  const auto told = refused("arg0 >", 6);
  ASSERT_THAT(told.each, SizeIs(1));
  EXPECT_EQ(told.each.front().line, "arg0 >");
  EXPECT_EQ(told.each.front().column, 7U);
}

TEST(Written, QuotesInAnExpressionDoNotMoveThePlace) {
  const std::string where = R"(comm == "a\"b" && requ->x)";
  const auto told = refused(where, where.find("requ"));
  ASSERT_THAT(told.each, SizeIs(1));
  EXPECT_EQ(told.each.front().line, where);
  EXPECT_EQ(told.each.front().column, where.find("requ") + 1);
}

TEST(Written, APlaceInNoTextIsLeftOut) {
  const std::string text = json{{"probes", {{"x", {{"target", 5}}}}}}.dump();
  for (const char* where : {"attach:1:1", "attach:1:13", "attach:1:400", "attach:1:0", "attach:9"}) {
    const auto told = refusal({{.what = "target", .where = where, .why = "no", .mend = {}}}, text, "attach");
    EXPECT_EQ(told.error.text(), "target: no") << where;
    EXPECT_THAT(told.each, SizeIs(0)) << where;
  }
}

TEST(Written, APlaceThatIsNotInTheJsonIsKept) {
  const auto told = refusal({{.what = "find", .where = "/usr/bin/x", .why = "no", .mend = {}}}, "{}", "attach");
  EXPECT_EQ(told.error.where, "/usr/bin/x");
}

TEST(Written, SeveralErrorsAreToldEachAndAllInOne) {
  const auto told = refusal(
      {{.what = "a", .where = {}, .why = "no", .mend = {}}, {.what = "b", .where = {}, .why = "neither", .mend = {}}},
      "{}", "attach");
  EXPECT_EQ(told.error.text(), "a: no: b: neither");
  EXPECT_THAT(told.each, SizeIs(2));
}

}  // namespace
}  // namespace diagnose::app
