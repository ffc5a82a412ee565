#include "control/protocol.h"

#include <gtest/gtest.h>
#include <string>

#include "base/limits.h"

namespace diagnose::control {
namespace {

using nlohmann::json;

Code code_of(const std::string& line) {
  const auto request = parse_request(line);
  EXPECT_FALSE(request) << line;
  return request ? Code::refused : request.error().code;
}

TEST(Protocol, ARequestRoundTrips) {
  const std::string line = request_line(7, "attach", {{"id", "a"}, {"follow", true}});
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto request = parse_request(line);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, 7);
  EXPECT_EQ(request->method, "attach");
  EXPECT_EQ(request->params, (json{{"id", "a"}, {"follow", true}}));
}

TEST(Protocol, ARequestWithoutParamsHasAnEmptyObjectAndWithoutIdIsANotification) {
  const auto request = parse_request(R"({"jsonrpc":"2.0","method":"list"})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->id.is_null());
  EXPECT_EQ(request->params, json::object());
}

TEST(Protocol, LinesThatAreNotJsonAreParseErrors) {
  for (const char* line : {"", " ", "hello", "{", "{\"jsonrpc\":\"2.0\",\"method\":\"li", "{}{}", "1e999",
                           "\"\xff\xfe\"", "{\"a\":\"\x01\"}"}) {
    EXPECT_EQ(code_of(line), Code::parse_error) << line;
  }
  EXPECT_EQ(code_of(std::string("\0\x01\x7f\x45\x4c\x46", 6)), Code::parse_error);
}

TEST(Protocol, JsonThatIsNoRequestIsInvalid) {
  for (const char* line :
       {"[]", R"([{"jsonrpc":"2.0","method":"list","id":1}])", "3", "null", "\"list\"", "{}",
        R"({"jsonrpc":"1.0","method":"list","id":1})", R"({"method":"list","id":1})", R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","method":4,"id":1})", R"({"jsonrpc":"2.0","method":"list","id":{}})"}) {
    EXPECT_EQ(code_of(line), Code::invalid_request) << line;
  }
}

TEST(Protocol, PositionalParamsAreRefusedUnderTheRequestsId) {
  const auto request = parse_request(R"({"jsonrpc":"2.0","method":"detach","params":["a"],"id":"x"})");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Code::invalid_params);
  EXPECT_EQ(request.error().id, "x");
}

TEST(Protocol, NestingIsBoundedBeforeAnythingRecurses) {
  const auto arrays = [](std::size_t levels) {
    return R"({"jsonrpc":"2.0","method":"m","params":{"a":)" + std::string(levels, '[') + std::string(levels, ']') +
           "}}";
  };
  EXPECT_TRUE(parse_request(arrays(limits::yaml_depth - 2)));
  EXPECT_EQ(code_of(arrays(limits::yaml_depth - 1)), Code::parse_error);
  EXPECT_EQ(code_of(std::string(900'000, '[')), Code::parse_error);
  EXPECT_EQ(code_of(arrays(400'000)), Code::parse_error);
}

TEST(Protocol, BracketsInStringsAreNotNesting) {
  const auto request =
      parse_request(R"({"jsonrpc":"2.0","method":"m","params":{"a":"\")" + std::string(500, '[') + "\"}}");
  EXPECT_TRUE(request);
}

TEST(Protocol, AnErrorRoundTripsInsideItsLine) {
  const Error error{
      .what = "attach `a`", .where = "f.yaml:3:4", .why = "no such function", .mend = "did you mean `b`?"};
  const json line = json::parse(error_line("id", Code::refused, error));
  EXPECT_EQ(line["id"], "id");
  EXPECT_EQ(line["error"]["code"], -32000);
  EXPECT_EQ(line["error"]["message"], error.text());
  EXPECT_EQ(error_from_json(line["error"]["data"]), error);
}

TEST(Protocol, AnErrorFromAStrangersJsonDoesNotThrow) {
  EXPECT_EQ(error_from_json({{"what", 3}, {"why", "because"}}).why, "because");
  EXPECT_FALSE(error_from_json(json::array()).text().empty());
}

TEST(Protocol, BytesThatAreNotUtf8AreReplaced) {
  const std::string line = result_line(1, {{"comm", "a\xff"}});
  EXPECT_EQ(json::parse(line)["result"]["comm"], "a\xEF\xBF\xBD");
}

TEST(Protocol, ANotificationCarriesItsParametersAsTheyAre) {
  const std::string line = notification_line("event", R"({"comm":"a"})");
  EXPECT_EQ(line, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"comm\":\"a\"}}\n");
}

}  // namespace
}  // namespace diagnose::control
