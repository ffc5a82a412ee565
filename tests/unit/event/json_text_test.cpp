#include "event/json_text.h"

#include <gtest/gtest.h>

namespace diagnose::event {
namespace {

Record record() {
  Record made;
  made.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'042));
  made.probe = "p";
  made.instrument = "log";
  made.event = "return";
  made.pid = 12;
  made.tid = 13;
  made.comm = "worker";
  made.value = std::int64_t{-5};
  return made;
}

TEST(JsonText, HasEveryKeyOfTheContractInItsOrder) {
  EXPECT_EQ(json_text(record(), "{}"),
            R"({"time":"2023-11-14T22:13:20.042Z","probe":"p","instrument":"log","event":"return","pid":12,"tid":13,)"
            R"("comm":"worker","value":-5,"labels":{},"fields":{},"custom":{}})");
}

TEST(JsonText, ShowsEachKindOfValue) {
  Record made = record();
  made.value = std::monostate{};
  made.message = "m";
  made.labels = {{"ok", "true"}, {"code", "7"}};
  made.fields = {{"n", std::uint64_t{18'446'744'073'709'551'615U}},
                 {"b", false},
                 {"t", std::chrono::nanoseconds(1'500'000)},
                 {"nothing", std::monostate{}},
                 {"s", std::string("text")}};
  EXPECT_EQ(json_text(made, R"({"owner":"me"})"),
            R"({"time":"2023-11-14T22:13:20.042Z","probe":"p","instrument":"log","event":"return","pid":12,"tid":13,)"
            R"("comm":"worker","value":null,"message":"m","labels":{"ok":"true","code":"7"},)"
            R"("fields":{"n":18446744073709551615,"b":false,"t":0.0015,"nothing":null,"s":"text"},)"
            R"("custom":{"owner":"me"}})");
}

TEST(JsonText, NamesTheTextsThatWereLongerThanTheirRoom) {
  Record made = record();
  made.truncated = {"path", "\"a\""};
  EXPECT_NE(json_text(made, "{}").find(R"("fields":{},"truncated":["path","\"a\""],"custom":{})"), std::string::npos);
}

TEST(JsonText, EscapesWhatATargetsTextMayHold) {
  Record made = record();
  made.value = std::string("a\"b\\c\n\x01\xff");
  const std::string text = json_text(made, "{}");
  EXPECT_NE(text.find(R"("value":"a\"b\\c\u000a\u0001)"
                      "\xef\xbf\xbd\""),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace diagnose::event
