#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace diagnose::cli {
namespace {

using testing::HasSubstr;

Parsed parse(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  return parse_command_line(arguments, "/nonexistent/d.sock");
}

TEST(CommandLine, EveryVerbHasHelpWithAnExample) {
  for (const char* verb : {"attach", "apply", "detach", "list", "status", "renew", "events", "check", "version",
                           "explain", "functions", "completion"}) {
    const Parsed parsed = parse(std::string(verb) + " --help");
    EXPECT_EQ(parsed.exit, Exit::done);
    EXPECT_FALSE(parsed.run);
    EXPECT_THAT(parsed.output, HasSubstr("Example:\n  diagnosectl " + std::string(verb))) << verb;
    EXPECT_THAT(parsed.output, HasSubstr("--json")) << verb;
    EXPECT_THAT(parsed.output, HasSubstr("--socket")) << verb;
  }
}

TEST(CommandLine, CommonOptionsStandBeforeOrBehindTheVerb) {
  for (const char* line : {"--socket /s --json list", "list --socket /s --json", "--json list --socket=/s"}) {
    const Parsed parsed = parse(line);
    EXPECT_TRUE(parsed.run) << line << parsed.errors;
  }
}

TEST(CommandLine, AnUnknownVerbOrOptionIsAUsageErrorWithASuggestion) {
  const Parsed verb = parse("atach x:f");
  EXPECT_EQ(verb.exit, Exit::usage);
  EXPECT_THAT(verb.errors, HasSubstr("did you mean `attach`?"));
  const Parsed option = parse("attach /bin/x:f --lable a=1");
  EXPECT_EQ(option.exit, Exit::usage);
  EXPECT_THAT(option.errors, HasSubstr("did you mean `--label`?"));
  EXPECT_THAT(parse("attach --pid 3 --follw f").errors, HasSubstr("did you mean `--follow`?"));
  EXPECT_THAT(parse("detach --al").errors, HasSubstr("did you mean `--all`?"));
  EXPECT_THAT(parse("list --zzzzzz").errors, HasSubstr("see `diagnosectl list --help`"));
}

TEST(CommandLine, WhatIsMissingOrTooMuchIsAUsageError) {
  for (const char* line :
       {"", "--json", "attach", "attach --pid 1", "detach", "detach a --all", "renew", "check", "apply",
        "attach --pid 1 --exe /x f", "attach --pid 1 --usdt a:b f", "attach --pid 1 --usdt a:b --address 1",
        "attach --pid nine f", "attach --pid 0 f", "list extra", "status a b", "attach f --lifespan"}) {
    const Parsed parsed = parse(line);
    EXPECT_EQ(parsed.exit, Exit::usage) << line;
    EXPECT_FALSE(parsed.errors.empty()) << line;
    EXPECT_FALSE(parsed.run) << line;
  }
}

TEST(CommandLine, AUsageErrorIsJsonWhereJsonIsAskedFor) {
  EXPECT_THAT(parse("lsit --json").errors, HasSubstr(R"({"error":{)"));
}

TEST(CommandLine, SeveralPidsAndRepeatedLabelsLeaveTheFunctionAlone) {
  EXPECT_TRUE(parse("attach --pid 1 2 3 f").run);
  EXPECT_TRUE(parse("attach --pid 1 --label a=1 --label b=2 f").run);
  EXPECT_TRUE(parse("attach f --pid 1,2").run);
  EXPECT_TRUE(parse("attach --pid 1 --usdt python:line").run);
  EXPECT_TRUE(parse("attach --pid 1 --line cart.cc:120").run);
  EXPECT_TRUE(parse("attach --pid 1 --address 0x1234").run);
}

TEST(CommandLine, WithoutADaemonTheExitStatusIsThree) {
  for (const char* verb : {"list", "status", "detach --all", "events", "renew a", "attach /bin/x:f",
                           "attach --follow /bin/x:f", "version"}) {
    const Parsed parsed = parse(verb);
    ASSERT_TRUE(parsed.run) << verb;
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    EXPECT_EQ(parsed.run(), Exit::no_daemon) << verb;
    testing::internal::GetCapturedStdout();
    EXPECT_EQ(
        testing::internal::GetCapturedStderr(),
        "connect to the daemon: /nonexistent/d.sock: no such socket: start it with `systemctl start diagnosed`, or "
        "give --socket\n");
  }
}

}  // namespace
}  // namespace diagnose::cli
