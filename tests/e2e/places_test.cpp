// Places other than functions, from the command line to /metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/daemon.h"
#include "support/process.h"

namespace diagnose::test {
namespace {

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

TEST(Places, TheArgumentsOfAMarkerThatLieElsewhereAtEachLocationAreNotMistaken) {
  Program program({"markers", "300"});
  const Daemon daemon;
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "--usdt", "shop:step", "--type",
                                     "counter", "--name", "sum", "--value", "arg0", "--id", "sum"});
  program.go();
  program.enough();
  const auto counts = program.counts();
  const double sum = daemon.metrics().value("sum_total").value_or(-1);
  const bool whole = attached.at("sites").size() == 2;
  EXPECT_EQ(sum, static_cast<double>(whole ? counts.at("sum") : counts.at("sum") / 2)) << attached;
  const auto status = daemon.json({"status", "sum"});
  EXPECT_TRUE(whole || status.at("errors").dump().find("lie elsewhere there") != std::string::npos) << status;
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

TEST(Places, AMarkerWhoseArgumentsDifferByPlaceIsCountedWhereTheyAreAsAtTheFirstAndTheOthersAreTold) {
  Program program({"markers", "300"});
  const Daemon daemon;
  const std::string pid = std::to_string(program.pid());
  const auto told = daemon.json({"attach", "--pid", pid, "--usdt", "shop:step", "--type", "counter", "--name", "some",
                                 "--where", "arg0 >= 0", "--id", "some"});
  EXPECT_EQ(told.at("sites").size(), 1U);
  const auto errors = daemon.json({"status", "some"}).at("errors");
  ASSERT_EQ(errors.size(), 1U) << errors;
  EXPECT_THAT(errors[0].at("why").get<std::string>(), HasSubstr("it is not counted there"));
  EXPECT_THAT(errors[0].at("mend").get<std::string>(), HasSubstr("leave the arguments out"));
  daemon.json({"attach", "--pid", pid, "--usdt", "shop:step", "--type", "counter", "--name", "all", "--id", "all"});
  program.go();
  program.enough();
  EXPECT_EQ(program.counts().at("steps"), 600);
  EXPECT_EQ(daemon.metrics().value("some_total"), 300);
  EXPECT_EQ(daemon.metrics().value("all_total"), 600);
}

}  // namespace
}  // namespace diagnose::test
