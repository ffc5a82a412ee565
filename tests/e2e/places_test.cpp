// Places other than functions, from the command line to /metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "support/daemon.h"
#include "support/process.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(Places, APythonFunctionsReturnsAreCountedByItsName) {
  const char* script =
      "import os\n"
      "def counted(n):\n"
      "  return n + 1\n"
      "def other():\n"
      "  return counted(1)\n"
      "os.write(1, b'ready %d\\n' % os.getpid())\n"
      "os.read(0, 1)\n"
      "for i in range(500): counted(i)\n"
      "for i in range(7): other()\n"
      "os.write(1, b'done\\n')\n"
      "os.read(0, 1)\n";
  Process python({"/usr/bin/python3.11", "-I", "-S", "-c", script});
  ASSERT_EQ(python.line().substr(0, 6), "ready ") << "install python3.11";
  const Daemon daemon;
  const auto attached =
      daemon.json({"attach", "--pid", std::to_string(python.pid()), "--usdt", "python:function__return", "--type",
                   "counter", "--name", "returns", "--label", "function=str(arg1)", "--id", "python"});
  ASSERT_EQ(attached.at("sites").size(), 1U) << attached;
  EXPECT_EQ(attached.at("sites").at(0).at("kind"), "usdt") << attached;
  EXPECT_EQ(attached.at("sites").at(0).at("cost"), "emulated") << attached;
  python.write("\n");
  EXPECT_EQ(python.line(), "done");
  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(metrics.value("returns_total", {{"function", "counted"}}).value_or(-1), 507) << daemon.metrics_text();
  EXPECT_EQ(metrics.value("returns_total", {{"function", "other"}}).value_or(-1), 7);
  EXPECT_EQ(metrics.sum("returns_total"), 514);
  daemon.json({"detach", "python"});
  python.write("\n");
  EXPECT_EQ(python.finish().status, 0);
}

std::string location_name(const std::string& what, int location) {
  return what + std::to_string(location);
}

TEST(Places, EachLocationOfAMarkerReadsItsArgumentsFromItsOwnPlace) {
  Program program({"locations", "300"});
  const Daemon daemon;
  const std::string pid = std::to_string(program.pid());
  daemon.write_spec("level.yaml", "probes:\n  level:\n    target: {pid: " + pid +
                                      ", usdt: 'shop:level'}\n    lifespan: 1h\n    instruments:\n"
                                      "      - {type: counter, name: hits, labels: {location: arg1}}\n"
                                      "      - {type: gauge, name: sum, operation: inc, value: arg0}\n"
                                      "      - {type: gauge, name: sums, operation: inc, value: arg0,"
                                      " labels: {location: arg1}}\n"
                                      "      - {type: histogram, name: levels, value: arg0, labels: {location: arg1}}\n"
                                      "      - {type: counter, name: fives, where: arg0 == 5}\n"
                                      "      - {type: counter, name: negative, where: arg0 < 0}\n");
  ASSERT_TRUE(eventually([&] { return daemon.state_of("level") == "armed"; })) << daemon.json({"status", "level"});
  EXPECT_EQ(daemon.json({"status", "level"}).at("sites").size(), 8U);
  daemon.json({"attach", "--pid", pid, "--usdt", "shop:level", "--type", "counter", "--name", "levels.shown", "--label",
               "level=arg0", "--where", "arg1 == 1 || arg1 == 3 || arg1 == 5", "--id", "shown"});
  daemon.json({"attach", "--pid", pid, "--usdt", "shop:level", "--type", "gauge", "--name", "least", "--value", "arg0",
               "--id", "least", "--operation", "min"});
  program.go();
  const auto counts = program.counts();
  const Metrics metrics = daemon.metrics();
  double sum = 0;
  for (int location = 0; location < 8; ++location) {
    const std::map<std::string, std::string> labels{{"location", std::to_string(location)}};
    const auto passed = static_cast<double>(counts.at(location_name("count", location)));
    const auto own = static_cast<double>(counts.at(location_name("sum", location)));
    EXPECT_EQ(passed, 300);
    EXPECT_EQ(metrics.value("hits_total", labels).value_or(-1), passed) << location;
    EXPECT_EQ(metrics.value("sums", labels).value_or(-1), own) << location;
    EXPECT_EQ(metrics.value("levels_sum", labels).value_or(-1), own) << location;
    EXPECT_EQ(metrics.value("levels_count", labels).value_or(-1), passed) << location;
    sum += own;
  }
  EXPECT_EQ(metrics.value("sum").value_or(-1), sum);
  EXPECT_EQ(metrics.value("fives_total").value_or(-1), 300 + 1 + 1);  // the constant; 105 - 100; 261 as a byte
  EXPECT_EQ(metrics.value("negative_total").value_or(-1), 100 + 299 + 299);
  EXPECT_EQ(metrics.value("levels_shown_total", {{"level", "-897"}}).value_or(-1), 1) << daemon.metrics_text();
  EXPECT_EQ(metrics.value("levels_shown_total", {{"level", "255"}}).value_or(-1), 1);
  EXPECT_EQ(metrics.value("levels_shown_total", {{"level", "4294967595"}}).value_or(-1), 1);
  EXPECT_EQ(metrics.value("least").value_or(-1), -897);
}

// A constant is never null, what is read from memory may be: all have a place for it.
TEST(Places, RecordsOfAMarkerHaveWhatEachLocationPassed) {
  Program program({"locations", "300"});
  const Daemon daemon;
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "--usdt", "shop:level", "--type",
                                     "log", "--message", "{arg0} {arg1}", "--id", "level"});
  EXPECT_EQ(attached.at("state"), "armed") << attached;
  Process events = daemon.client({"events", "level", "--json"});
  std::this_thread::sleep_for(500ms);  // it follows by then
  program.go();
  std::map<std::string, long> seen;
  for (int record = 0; record < 8 * 300; ++record) {
    std::istringstream words(json::parse(events.line()).at("message").get<std::string>());
    long value = 0;
    int location = -1;
    ASSERT_TRUE(words >> value >> location);
    seen[location_name("sum", location)] += value;
    ++seen[location_name("count", location)];
  }
  const auto counts = program.counts();
  for (const auto& [name, value] : seen) EXPECT_EQ(value, counts.at(name)) << name;
  EXPECT_EQ(seen.size(), 16U);
}

// Two of them become one form, which leaves room for none of those that are too many.
TEST(Places, LocationsBeyondTheFormsOfOneProgramAreRefusedAndTheOthersReadTheirOwn) {
  Program program({"many_locations"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "--usdt", "shop:many", "--type", "log", "--message",
               "{arg0} {arg1}", "--id", "many"});
  const auto status = daemon.json({"status", "many"});
  EXPECT_EQ(status.at("state"), "partial");
  const auto sites = status.at("sites").size();
  EXPECT_GE(sites, 127U);
  EXPECT_LT(sites, 200U);
  Process events = daemon.client({"events", "many", "--json"});
  std::this_thread::sleep_for(500ms);  // it follows by then
  program.go();
  for (std::size_t record = 0; record < sites; ++record) {
    std::istringstream words(json::parse(events.line()).at("message").get<std::string>());
    long value = -1;
    long location = -2;
    ASSERT_TRUE(words >> value >> location);
    EXPECT_EQ(value, location == 1 ? 0 : location);
  }
  EXPECT_EQ(program.counts().at("passed"), 200);
  EXPECT_EQ(daemon.json({"status", "many"}).at("hits"), sites);
}

TEST(Places, ANumberThatIsUnsignedAtOneLocationAndFitsNoSignedOneIsRefusedAndCounted) {
  Program program({"locations", "300"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "--usdt", "shop:wide", "--type", "histogram", "--name",
               "wide", "--value", "arg0", "--id", "wide"});
  program.go();
  const auto counts = program.counts();
  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(metrics.value("wide_sum").value_or(-1), static_cast<double>(counts.at("wide_sum")));
  EXPECT_EQ(metrics.value("wide_count").value_or(-1), static_cast<double>(counts.at("wide_fits")));
  const auto status = daemon.json({"status", "wide"});
  EXPECT_EQ(status.at("hits"), counts.at("wide"));
  EXPECT_EQ(status.at("lost").value("refused", 0), counts.at("wide") - counts.at("wide_fits")) << status;
}

TEST(Places, ALocationWhoseArgumentIsInAnXmmRegisterIsNamedAndTheOthersAreCounted) {
  Program program({"locations", "300"});
  const Daemon daemon;
  const std::string pid = std::to_string(program.pid());
  daemon.json({"attach", "--pid", pid, "--usdt", "shop:rate", "--type", "counter", "--name", "rate", "--value", "arg0",
               "--id", "rate"});
  const auto status = daemon.json({"status", "rate"});
  EXPECT_EQ(status.at("state"), "partial");
  ASSERT_EQ(status.at("errors").size(), 1U) << status;
  const std::string why = status.at("errors")[0].at("why");
  EXPECT_THAT(why, HasSubstr("%xmm"));
  EXPECT_THAT(why, HasSubstr("rate_in_xmm"));
  EXPECT_THAT(why, HasSubstr(" at 0x"));
  program.go();
  EXPECT_EQ(daemon.metrics().value("rate_total").value_or(-1), static_cast<double>(program.counts().at("rate_sum")));
}

TEST(Places, FunctionsThatTakeWhatIsAskedForInOtherRegistersAreCountedTogether) {
  Program program({"locations", "300"});
  const Daemon daemon;
  const std::string pid = std::to_string(program.pid());
  const auto attached = daemon.json({"attach", "--pid", pid, "re:_is_level", "--type", "gauge", "--operation", "inc",
                                     "--name", "levels", "--value", "level", "--id", "levels"});
  EXPECT_EQ(attached.at("sites").size(), 2U) << attached;
  EXPECT_EQ(attached.at("state"), "armed") << attached;
  // At the end of a call no breakpoint tells which function it was: one of them, and the other by name.
  daemon.json({"attach", "--pid", pid, "re:_is_level", "--type", "gauge", "--operation", "inc", "--name", "later",
               "--value", "level", "--event", "return", "--id", "later"});
  const auto later = daemon.json({"status", "later"});
  EXPECT_EQ(later.at("state"), "partial");
  EXPECT_THAT(later.at("errors").dump(), HasSubstr("third_is_level"));
  program.go();
  const auto levels = static_cast<double>(program.counts().at("function_levels"));
  EXPECT_EQ(daemon.metrics().value("levels").value_or(-1), levels);
}

TEST(Places, ExplainTellsEachLocationsArguments) {
  Program program({"locations", "300"});
  const Daemon daemon;
  const auto explained = daemon.json({"explain", "--pid", std::to_string(program.pid()), "--usdt", "shop:level",
                                      "--type", "counter", "--name", "x", "--value", "arg0"});
  ASSERT_EQ(explained.at("functions").size(), 8U) << explained;
  std::multiset<std::string> types;
  std::set<std::string> places;
  for (const auto& function : explained.at("functions")) {
    const auto& argument = function.at("arguments").at(0);
    types.insert(argument.at("type").get<std::string>());
    places.insert(argument.at("place").get<std::string>());
  }
  EXPECT_THAT(types, ::testing::UnorderedElementsAre("long", "int", "int", "unsigned char", "short", "unsigned long",
                                                     "unsigned int", "unsigned int"));
  EXPECT_TRUE(places.contains("the constant 5") && places.contains("%dil") && places.contains("0x8(%rax)"))
      << explained;
  EXPECT_EQ(explained.at("programs").size(), 1U);
}

TEST(Places, InlinedCopiesCountWithTheFunctionItself) {
  Program program({"inlined", "200"});
  const Daemon daemon;
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "often_inlined", "--type",
                                     "counter", "--name", "all", "--id", "all"});
  EXPECT_EQ(attached.at("sites").size(), 3U) << attached;
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(daemon.metrics().value("all_total").value_or(-1),
            static_cast<double>(counts.at("inlined") + counts.at("often_inlined.calls")));
}

TEST(Places, ALineIsCountedAndAnEmptyOneIsRefusedWithTheNext) {
  Program program({"lines", "200"});
  const Daemon daemon;
  const std::string pid = std::to_string(program.pid());
  daemon.json({"attach", "--pid", pid, "--line", "lines.cpp:21", "--name", "odd", "--id", "odd"});
  const Ended refused = daemon.ctl({"attach", "--pid", pid, "--line", "lines.cpp:22", "--name", "x", "--id", "x"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("lines.cpp:24"));
  program.go();
  EXPECT_EQ(daemon.metrics().value("odd_total").value_or(-1), static_cast<double>(program.counts().at("odd")));
}

TEST(Places, WhatOnlyFunctionsHaveIsAFaultOfAPlace) {
  Program program({"lines", "200"});
  const Daemon daemon;
  const Ended times = daemon.ctl({"attach", "--pid", std::to_string(program.pid()), "--line", "lines.cpp:21", "--type",
                                  "histogram", "--name", "times", "--id", "times"});
  EXPECT_EQ(times.status, 1);
  EXPECT_THAT(times.err, HasSubstr("only functions return"));
}

}  // namespace
}  // namespace diagnose::test
