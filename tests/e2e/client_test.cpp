// The verbs of diagnosectl and the shapes of their --json.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Command attach_work(pid_t pid, const std::string& id, const Command& more = {}) {
  Command command = {"attach", "--pid", std::to_string(pid), "work", "--type", "counter", "--name", "works",
                     "--id",   id};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

void expect_site(const json& site) {
  EXPECT_TRUE(site.at("function").is_string());
  EXPECT_TRUE(site.at("module").is_string());
  EXPECT_TRUE(site.at("build_id").is_string());
  EXPECT_EQ(site.at("address").get<std::string>().substr(0, 2), "0x");
  EXPECT_EQ(site.at("offset").get<std::string>().substr(0, 2), "0x");
  EXPECT_THAT(site.at("kind").get<std::string>(), ::testing::AnyOf("entry", "exit", "tail"));
  EXPECT_FALSE(site.at("instruction").get<std::string>().empty());
  EXPECT_THAT(site.at("cost").get<std::string>(), ::testing::AnyOf("optimised", "emulated", "stepped"));
}

TEST(Client, AttachSaysWhatItFoundWhereItIsAndWhatAHitCosts) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const json attached = daemon.json(attach_work(program.pid(), "mine"));
  EXPECT_EQ(attached.at("id"), "mine");
  EXPECT_EQ(attached.at("state"), "armed");
  EXPECT_EQ(attached.at("processes"), json({program.pid()}));
  ASSERT_EQ(attached.at("sites").size(), 1U);
  expect_site(attached.at("sites")[0]);
  EXPECT_EQ(attached.at("sites")[0].at("kind"), "entry");
  EXPECT_EQ(attached.at("sites")[0].at("instruction"), "push %rbx");
  EXPECT_EQ(attached.at("sites")[0].at("cost"), "emulated");
  EXPECT_EQ(attached.at("return").at("strategy"), "none");
  EXPECT_TRUE(attached.at("return").at("why").is_string());
  EXPECT_TRUE(attached.at("price_ns").is_number());
  EXPECT_THAT(attached.at("expires").get<std::string>(), ::testing::MatchesRegex("20[0-9-]+T[0-9:]+Z"));
}

TEST(Client, AttachToTheReturnHasASiteForEveryWayOut) {
  const Program program({"recursion", "1", "1", "1"});
  const Daemon daemon;
  const json attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "down", "--type", "histogram",
                                     "--name", "down", "--value", "elapsed", "--id", "down", "--return", "sites"});
  EXPECT_EQ(attached.at("return").at("strategy"), "sites");
  std::size_t exits = 0;
  for (const json& site : attached.at("sites")) {
    expect_site(site);
    if (site.at("kind") != "entry") ++exits;
  }
  EXPECT_GE(exits, 1U);
  EXPECT_EQ(attached.at("sites").size(), exits + 1);
}

TEST(Client, AttachWithoutAnIdMakesOneAndPrintsIt) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const json attached =
      daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter", "--name", "works"});
  const std::string id = attached.at("id");
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(daemon.state_of(id), "armed");
}

TEST(Client, AnIdThatIsTakenIsRefused) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  daemon.json(attach_work(program.pid(), "mine"));
  const Ended again = daemon.ctl(attach_work(program.pid(), "mine"));
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, HasSubstr("mine"));
}

TEST(Client, ListHasALineForEachProbe) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  EXPECT_EQ(daemon.json({"list"}).at("probes"), json::array());
  daemon.json(attach_work(program.pid(), "mine"));
  const json probe = daemon.json({"list"}).at("probes").at(0);
  EXPECT_EQ(probe.at("id"), "mine");
  EXPECT_EQ(probe.at("state"), "armed");
  EXPECT_TRUE(probe.at("target").is_string());
  EXPECT_EQ(probe.at("hits"), 0);
  EXPECT_EQ(probe.at("lost"), 0);
  EXPECT_TRUE(probe.at("overhead_seconds").is_number());
  EXPECT_GT(probe.at("remaining_seconds").get<double>(), 500);
  const Ended human = daemon.ctl({"list"});
  EXPECT_EQ(human.status, 0);
  EXPECT_THAT(human.out, HasSubstr("mine"));
  EXPECT_THAT(human.out, HasSubstr("armed"));
  EXPECT_EQ(human.out.find('\033'), std::string::npos) << "colours in a pipe";
}

TEST(Client, StatusKnowsEverythingAboutAProbe) {
  Program program({"threads", "1", "100"});
  const Daemon daemon;
  daemon.json(attach_work(program.pid(), "mine", {"--label", "kind=arg0 % 4"}));
  const json status = daemon.json({"status", "mine"});
  EXPECT_EQ(status.at("id"), "mine");
  EXPECT_EQ(status.at("state"), "armed");
  EXPECT_TRUE(status.at("spec").is_object());
  EXPECT_EQ(status.at("processes"), json({program.pid()}));
  EXPECT_TRUE(status.at("lost").is_object());
  EXPECT_TRUE(status.at("errors").is_array());
  EXPECT_TRUE(status.at("overhead_seconds").is_number());
  EXPECT_TRUE(status.contains("budget"));
  EXPECT_TRUE(status.contains("expires"));
  EXPECT_TRUE(status.at("remaining_seconds").is_number());
  EXPECT_EQ(status.at("return").at("strategy"), "none");
  ASSERT_EQ(status.at("sites").size(), 1U);
  expect_site(status.at("sites")[0]);
  ASSERT_EQ(status.at("applied").size(), 1U);
  EXPECT_THAT(status.at("applied").begin().key(), HasSubstr(":" + std::to_string(program.pid()) + ":"));
  EXPECT_TRUE(status.at("applied").begin()->contains("lm"));
  EXPECT_TRUE(status.at("applied").begin()->at("err").is_null() || status.at("applied").begin()->at("err") == "");
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 100);
  EXPECT_EQ(daemon.json({"status", "mine"}).at("hits"), 100);
}

TEST(Client, StatusOfNobodyIsRefused) {
  const Daemon daemon;
  const Ended ended = daemon.ctl({"status", "nobody", "--json"});
  EXPECT_EQ(ended.status, 1);
  const json error = json::parse(ended.err).at("error");
  for (const char* field : {"what", "where", "why", "mend"}) EXPECT_TRUE(error.contains(field)) << field;
}

TEST(Client, DetachReturnsWhenTheKernelHasLetGo) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  daemon.json(attach_work(program.pid(), "one"));
  daemon.json(attach_work(program.pid(), "two"));
  const auto links = links_of(daemon.pid());
  EXPECT_EQ(daemon.json({"detach", "one"}).at("ids"), json({"one"}));
  EXPECT_NE(daemon.state_of("one"), "armed");
  EXPECT_EQ(daemon.json({"detach", "--all"}).at("ids"), json({"two"}));
  EXPECT_EQ(still_there(links), 0U);
  EXPECT_TRUE(links_of(daemon.pid()).empty());
}

TEST(Client, DetachOfNobodyIsRefused) {
  const Daemon daemon;
  const Ended ended = daemon.ctl({"detach", "nobody"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("nobody"));
}

TEST(Client, AttachedAndDetachedFiftyTimesTheTargetNeverNotices) {
  Program program({"threads", "2", "0"});
  const Daemon daemon;
  program.go();
  for (int i = 0; i < 50; ++i) {
    daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "histogram", "--value", "elapsed",
                 "--name", "works", "--id", "again"});
    daemon.json({"detach", "again"});
  }
  EXPECT_TRUE(program.running());
  program.enough();
  const auto counts = program.counts();
  EXPECT_EQ(counts.at("results"), 3 * counts.at("arguments"));
}

TEST(Client, LabelsAndConditionsDivideTheCallsAsTheProgramDoes) {
  Program program({"threads", "4", "10000"});
  const Daemon daemon;
  daemon.json(attach_work(program.pid(), "labelled", {"--label", "kind=arg0 % 4", "--where", "arg0 % 4 != 3"}));
  program.go();
  const auto counts = program.counts();
  const Metrics metrics = daemon.metrics();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(metrics.value("works_total", {{"kind", std::to_string(i)}}).value_or(-1),
              static_cast<double>(counts.at("label" + std::to_string(i))));
  }
  EXPECT_TRUE(metrics.find("works_total", {{"kind", "3"}}).empty());
}

TEST(Client, ApplyReconcilesAndIsIdempotent) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const std::string file = daemon.folder()->file("mine.yaml");
  // The file's time is the probes' `lastmodified`: a second later each would be renewed.
  const auto stamp = std::filesystem::file_time_type::clock::now();
  const auto apply = [&](const std::string& text) {
    write_file(file, text);
    std::filesystem::last_write_time(file, stamp);
    return daemon.json({"apply", file});
  };
  const std::string one = probe_text("one", at(program.pid(), "work"), counter("one"));
  const std::string two = probe_text("two", at(program.pid(), "work"), counter("two"));
  const std::string two_again = probe_text("two", at(program.pid(), "work"), counter("zwei"));

  json did = apply("probes:\n" + one + two);
  EXPECT_EQ(did.at("added"), json({"one", "two"}));
  EXPECT_TRUE(did.at("failed").empty()) << did;
  const auto links = links_of(daemon.pid());
  EXPECT_EQ(daemon.json({"apply", file}).at("unchanged"), json({"one", "two"}));
  EXPECT_EQ(links_of(daemon.pid()), links) << "an apply that changes nothing attaches nothing anew";

  did = apply("probes:\n" + one + two_again);
  EXPECT_EQ(did.at("updated"), json({"two"}));
  EXPECT_EQ(did.at("unchanged"), json({"one"}));
  did = apply("probes:\n" + two_again);
  EXPECT_EQ(did.at("removed"), json({"one"}));
  EXPECT_EQ(daemon.state_of("two"), "armed");
}

TEST(Client, ApplyTellsOfFaultsAndAppliesTheRest) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon;
  const std::string file = daemon.folder()->file("mine.yaml");
  write_file(file, "probes:\n" + probe_text("good", at(program.pid(), "work"), counter("good")) +
                       probe_text("bad", at(program.pid(), "work"), "type: countre, name: bad"));
  const Ended ended = daemon.ctl({"apply", file, "--json"});
  EXPECT_EQ(ended.status, 1);
  const json did = json::parse(ended.out);
  EXPECT_EQ(did.at("added"), json({"good"}));
  ASSERT_EQ(did.at("failed").size(), 1U);
  EXPECT_EQ(did.at("failed")[0].at("id"), "bad");
  EXPECT_THAT(did.at("failed")[0].at("errors").dump(), HasSubstr("counter"));
}

TEST(Client, VersionAndHelpNeedNoDaemon) {
  const TemporaryFolder folder;
  EXPECT_EQ(run_cli(folder.file("none"), {"--version"}).status, 0);
  EXPECT_THAT(run_cli(folder.file("none"), {"version"}).out, HasSubstr("diagnosectl"));  // and status 3: no daemon's
  for (const char* verb : {"attach", "apply", "detach", "list", "status", "renew", "events", "check", "version"}) {
    const Ended help = run_cli(folder.file("none"), {verb, "--help"});
    EXPECT_EQ(help.status, 0) << verb;
    EXPECT_THAT(help.out, HasSubstr("diagnosectl " + std::string(verb))) << "an example";
  }
}

TEST(Client, ExitStatusTellsUsageFromNoDaemon) {
  const TemporaryFolder folder;
  EXPECT_EQ(run_cli(folder.file("none"), {"list"}).status, 3);
  EXPECT_THAT(run_cli(folder.file("none"), {"list"}).err, HasSubstr(folder.file("none")));
  EXPECT_EQ(run_cli(folder.file("none"), {"lsit"}).status, 2);
  EXPECT_EQ(run_cli(folder.file("none"), {"attach"}).status, 2);
  EXPECT_EQ(run_cli(folder.file("none"), {"list", "--bogus"}).status, 2);
}

TEST(Client, TheSocketMayComeFromTheEnvironment) {
  const Daemon daemon;
  EXPECT_EQ(run({"env", "DIAGNOSE_SOCKET=" + daemon.socket(), binary("diagnosectl"), "list"}).status, 0);
}

}  // namespace
}  // namespace diagnose::test
