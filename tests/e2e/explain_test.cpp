// `explain`: what attach would do, and nothing done.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Command with(const std::string& verb, pid_t pid, const Command& more) {
  Command command = {verb, "--pid", std::to_string(pid)};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

TEST(Explain, SaysWhatAttachThenDoesAndAttachesNothing) {
  const Program program({"recursion", "1", "1", "1"});
  const Daemon daemon;
  for (const char* how : {"auto", "trampoline", "callers", "sites"}) {
    const Command wanted = {"down", "--value", "elapsed", "--name", "down", "--id", "mine", "--return", how};
    const json explained = daemon.json(with("explain", program.pid(), wanted));
    EXPECT_TRUE(links_of(daemon.pid()).empty()) << how;
    EXPECT_EQ(daemon.state_of("mine"), "") << how;
    const json attached = daemon.json(with("attach", program.pid(), wanted));
    EXPECT_EQ(explained.at("sites"), attached.at("sites")) << how;
    EXPECT_EQ(explained.at("return"), attached.at("return")) << how;
    EXPECT_EQ(explained.at("price_ns"), attached.at("price_ns")) << how;
    EXPECT_EQ(explained.at("processes"), attached.at("processes")) << how;
    EXPECT_EQ(explained.at("state"), "armed") << how;
    EXPECT_EQ(daemon.ctl({"detach", "mine"}).status, 0);
  }
}

TEST(Explain, LeavesAProbeOfTheSameNameAlone) {
  Program program({"threads", "1", "1000"});
  const Daemon daemon;
  const Command wanted = {"work", "--type", "counter", "--name", "works", "--id", "mine"};
  daemon.json(with("attach", program.pid(), wanted));
  daemon.json(with("explain", program.pid(), wanted));
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 1000);
  EXPECT_EQ(daemon.json({"list"}).at("probes").size(), 1U);
}

TEST(Explain, WithBpfListsThePrograms) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const Command wanted = {"work", "--type", "counter", "--where", "arg0 > 5", "--bpf"};
  const json explained = daemon.json(with("explain", program.pid(), wanted));
  ASSERT_FALSE(explained.at("programs").empty());
  const json& entry = explained.at("programs")[0];
  EXPECT_EQ(entry.at("role"), "entry");
  EXPECT_THAT(entry.at("listing").get<std::string>(), HasSubstr("exit"));
  const std::string listing = entry.at("listing");
  EXPECT_GE(entry.at("instructions").get<long>(), std::count(listing.begin(), listing.end(), '\n'));
  const Ended human = daemon.ctl(with("explain", program.pid(), wanted));
  EXPECT_THAT(human.out, AllOf(HasSubstr("would be armed"), HasSubstr("program entry"), HasSubstr("push %rbx")));
  const Ended without = daemon.ctl(with("explain", program.pid(), {"work", "--type", "counter"}));
  EXPECT_THAT(without.out, Not(HasSubstr("program entry")));
}

TEST(Explain, WithASampleSaysHowOftenItIsCalledAndWhatThatWouldCost) {
  Process shop({program_path("shop_server")});
  shop.line();
  const Daemon daemon;
  const json explained =
      daemon.json(with("explain", shop.pid(), {"shop::price", "--type", "counter", "--sample", "1s"}));
  const json& sample = explained.at("sample");
  EXPECT_GT(sample.at("hits").get<long>(), 0);
  EXPECT_NEAR(sample.at("seconds").get<double>(), 1, 0.5);
  EXPECT_NEAR(sample.at("rate").get<double>(), sample.at("hits").get<double>() / sample.at("seconds").get<double>(), 1);
  EXPECT_NEAR(sample.at("overhead").get<double>(),
              sample.at("rate").get<double>() * explained.at("price_ns").get<double>() * 1e-9, 1e-5);
  EXPECT_TRUE(links_of(daemon.pid()).empty());
  EXPECT_EQ(daemon.json({"list"}).at("probes").size(), 0U);
}

TEST(Explain, OfAFileExplainsEachProbeAndTellsWhichWouldFail) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const TemporaryFolder folder;
  write_file(folder.file("two.yaml"),
             spec_text("good", at(program.pid(), "work"), counter("good")) +
                 probe_text("bad", at(program.pid(), "work"), counter("bad") + ", where: nosuch"));
  const Ended ended = daemon.ctl({"explain", folder.file("two.yaml"), "--json"});
  EXPECT_EQ(ended.status, 1);
  const json answer = json::parse(ended.out);
  ASSERT_EQ(answer.at("probes").size(), 1U);
  EXPECT_EQ(answer.at("probes")[0].at("id"), "good");
  ASSERT_EQ(answer.at("failed").size(), 1U);
  EXPECT_EQ(answer.at("failed")[0].at("id"), "bad");
  const Ended human = daemon.ctl({"explain", folder.file("two.yaml")});
  EXPECT_THAT(human.out, HasSubstr("good would be armed"));
  EXPECT_THAT(human.err, AllOf(HasSubstr("two.yaml:"), HasSubstr("^\n")));
  EXPECT_TRUE(daemon.json({"list"}).at("probes").empty());
}

TEST(Explain, WhatGoesWrongIsToldAsByAttach) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const Ended typo = daemon.ctl(with("explain", program.pid(), {"wrok", "--type", "counter"}));
  EXPECT_EQ(typo.status, 1);
  EXPECT_THAT(typo.err, HasSubstr("did you mean work"));
  const Ended place =
      daemon.ctl(with("explain", program.pid(), {"work", "--type", "counter", "--where", "1 + nosuch"}));
  EXPECT_EQ(place.status, 1);
  EXPECT_THAT(place.err, HasSubstr("\n    1 + nosuch\n        ^\n"));
  const Ended gone = daemon.ctl(with("explain", 4194302, {"work"}));
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.err, HasSubstr("4194302"));
  const Ended sample = daemon.ctl(with("explain", program.pid(), {"work", "--type", "counter", "--sample", "10 hits"}));
  EXPECT_EQ(sample.status, 1);
  EXPECT_THAT(sample.err, HasSubstr("10 hits"));
  EXPECT_EQ(daemon.ctl({"explain", "work"}).status, 2);
  EXPECT_EQ(daemon.ctl({"explain", "/nowhere/spec.yaml"}).status, 1);
  EXPECT_EQ(run_cli("/nowhere/d.sock", with("explain", program.pid(), {"work"})).status, 3);
}

}  // namespace
}  // namespace diagnose::test
