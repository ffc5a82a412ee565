// `functions`, and the shells' completion.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> names_in(const json& answer) {
  std::vector<std::string> names;
  for (const json& one : answer.at("functions")) names.push_back(one.at("name"));
  return names;
}

TEST(Functions, OfAProcessAreListedWithSizeAndModule) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const json answer = daemon.json({"functions", "--pid", std::to_string(program.pid()), "work"});
  ASSERT_EQ(answer.at("functions").size(), 1U);
  const json& one = answer.at("functions")[0];
  EXPECT_EQ(one.at("name"), "work");
  EXPECT_EQ(one.at("symbol"), "work");
  EXPECT_EQ(one.at("module"), program.path());
  EXPECT_EQ(one.at("address").get<std::string>().substr(0, 2), "0x");
  EXPECT_GT(one.at("size").get<int>(), 0);
  EXPECT_EQ(answer.at("cut"), false);
  const Ended human = daemon.ctl({"functions", "--pid", std::to_string(program.pid()), "work"});
  EXPECT_EQ(human.status, 0);
  EXPECT_THAT(human.out,
              AllOf(HasSubstr("FUNCTION"), HasSubstr("SIZE"), HasSubstr(" work\n"), HasSubstr(program.path())));
}

TEST(Functions, OfItsLibrariesAreListedBehindItsOwn) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const json answer = daemon.json({"functions", "--pid", std::to_string(program.pid()), "*a*"});
  EXPECT_EQ(answer.at("functions").front().at("module"), program.path());
  EXPECT_THAT(answer.at("functions").back().at("module").get<std::string>(), HasSubstr(".so"));
  const json libc =
      daemon.json({"functions", "--pid", std::to_string(program.pid()), "--module", "libc.so.6", "malloc"});
  EXPECT_THAT(names_in(libc), Contains("malloc"));
}

TEST(Functions, OfAFileAreListedThoughNobodyRunsIt) {
  const Daemon daemon;
  EXPECT_THAT(names_in(daemon.json({"functions", program_path("shop_server") + ":shop::*"})),
              Contains("shop::Cart::checkout(int)"));
  EXPECT_THAT(names_in(daemon.json({"functions", "--exe", program_path("shop_server"), "shop::Cart::*"})),
              Contains("shop::Cart::checkout(int)"));
}

TEST(Functions, ALongListIsCutAndSaysSo) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const Ended human = daemon.ctl({"functions", "--pid", std::to_string(program.pid()), "*"});
  EXPECT_EQ(human.status, 0);
  EXPECT_THAT(human.out, HasSubstr("only the first 5000 are listed"));
}

TEST(Functions, WhatGoesWrongIsToldInOneLine) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const std::string pid = std::to_string(program.pid());
  const auto refused = [&](const Command& arguments, int status) {
    const Ended ended = daemon.ctl(arguments);
    EXPECT_EQ(ended.status, status) << ended.out << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    return ended.err;
  };
  EXPECT_THAT(refused({"functions", "--pid", pid, "wrok"}, 1), HasSubstr("*wrok*"));
  EXPECT_THAT(refused({"functions", "--pid", "4194302", "work"}, 1), HasSubstr("4194302"));
  EXPECT_THAT(refused({"functions", "--exe", "/nowhere/x", "work"}, 1), HasSubstr("/nowhere/x"));
  EXPECT_THAT(refused({"functions", "--pid", pid, "--module", "libnone.so", "work"}, 1), HasSubstr("libnone.so"));
  EXPECT_THAT(refused({"functions", "--pid", pid, "re:("}, 1), HasSubstr("re:("));
  EXPECT_THAT(refused({"functions", "work"}, 2), HasSubstr("--pid"));
  EXPECT_THAT(refused({"functions", "--pid", pid}, 2), HasSubstr("PATTERN"));
  EXPECT_THAT(refused({"functoins", "--pid", pid, "work"}, 2), HasSubstr("did you mean `functions`"));
  const Ended nobody = run_cli("/nowhere/d.sock", {"functions", "--pid", pid, "work"});
  EXPECT_EQ(nobody.status, 3);
}

// What `line` becomes at TAB in a bash that a person types into.
std::string completed(const Daemon& daemon, const std::string& line) {
  Process shell({"env", "DIAGNOSE_SOCKET=" + daemon.socket(), "PS1=", "INPUTRC=/dev/null", "script", "-qec",
                 "bash --norc --noprofile -i", "/dev/null"});
  shell.write("source <(" + binary("diagnosectl") + " completion bash); echo rea''dy\n");
  while (shell.line().find("ready") == std::string::npos) continue;
  // What has become of the line is seen by having it echoed: Ctrl-A goes to its start.
  shell.write(binary("diagnosectl") + " " + line +
              "\t\x01"
              "echo DONE \n");
  for (;;) {
    const std::string said = shell.line();
    const auto at = said.find("DONE " + binary("diagnosectl"));
    if (at == std::string::npos || said.find("echo DONE") != std::string::npos) continue;
    std::string rest = said.substr(at + 5 + binary("diagnosectl").size() + 1);
    while (!rest.empty() && (rest.back() == '\r' || rest.back() == ' ')) rest.pop_back();
    return rest;
  }
}

TEST(Completion, InBashVerbsOptionsIdsAndFunctionsAreCompleted) {
  const Program program({"threads", "1", "1"});
  const std::string pid = std::to_string(program.pid());
  const Daemon daemon;
  daemon.json({"attach", "--pid", pid, "work", "--type", "counter", "--name", "works", "--id", "my-own-probe"});
  EXPECT_EQ(completed(daemon, "att"), "attach");
  EXPECT_EQ(completed(daemon, "attach --pid " + pid + " --whe"), "attach --pid " + pid + " --where");
  EXPECT_EQ(completed(daemon, "attach --type=hist"), "attach --type=histogram");
  EXPECT_EQ(completed(daemon, "status my"), "status my-own-probe");
  const std::string own = "attach --module threads --pid " + pid;
  EXPECT_EQ(completed(daemon, own + " wor"), own + " work");
  EXPECT_EQ(completed(daemon, "attach " + program_path("shop_server") + ":shop::Cart::che"),
            "attach " + program_path("shop_server") + ":shop::Cart::checkout");
  EXPECT_EQ(completed(daemon, "check " TEST_SOURCE_DIR "/../specs/dem"),
            "check " TEST_SOURCE_DIR "/../specs/demo.yaml");
}

TEST(Completion, WithoutADaemonItIsSilent) {
  for (const char* line : {"diagnosectl status ", "diagnosectl attach --pid 1 f", "diagnosectl no such", ""}) {
    const Ended ended = run_cli("/nowhere/d.sock", {"complete", "bash", line});
    EXPECT_EQ(ended.status, 0) << line;
    EXPECT_EQ(ended.err, "") << line;
    EXPECT_EQ(ended.out, "") << line;
  }
}

TEST(Completion, EveryShellsScriptIsPrinted) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Ended ended = run({binary("diagnosectl"), "completion", shell});
    EXPECT_EQ(ended.status, 0);
    EXPECT_THAT(ended.out, HasSubstr(std::string("complete ") + shell));
  }
  EXPECT_EQ(run({binary("diagnosectl"), "completion", "tcsh"}).status, 2);
}

}  // namespace
}  // namespace diagnose::test
