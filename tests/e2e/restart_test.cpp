// A daemon that died while it attached a probe (hazard 19).
#include <chrono>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using ::testing::HasSubstr;

std::string tombstone(const TemporaryFolder& folder, const std::string& id) {
  return folder.file("state") + "/" + id + ".attaching";
}

// The state directory of a daemon that died under `id`.
std::shared_ptr<TemporaryFolder> died_under(const std::string& id) {
  auto folder = std::make_shared<TemporaryFolder>();
  std::filesystem::create_directory(folder->file("state"));
  std::filesystem::permissions(folder->file("state"), std::filesystem::perms::owner_all);
  write_file(tombstone(*folder, id), "");
  return folder;
}

TEST(Quarantine, ASpecThatTheDaemonDiedUnderIsLeftAloneAndSaysWhy) {
  const Program program({"threads", "1", "100"});
  const std::string text = "probes:\n" + probe_text("deadly", at(program.pid(), "work"), counter("deadly")) +
                           probe_text("harmless", at(program.pid(), "work"), counter("harmless"));
  const Daemon daemon({.specs = {{"two.yaml", text}}, .folder = died_under("deadly")});
  EXPECT_EQ(daemon.state_of("deadly"), "quarantined");
  EXPECT_EQ(daemon.state_of("harmless"), "armed");
  const auto status = daemon.json({"status", "deadly"});
  EXPECT_TRUE(status.at("sites").empty());
  EXPECT_THAT(status.at("errors").at(0).at("why").get<std::string>(), HasSubstr("died while it attached"));
  EXPECT_THAT(status.at("errors").at(0).at("mend").get<std::string>(), HasSubstr("diagnosectl renew deadly"));
  EXPECT_EQ(daemon.metrics().value("diagnose_probe_info", {{"probe", "deadly"}, {"state", "quarantined"}}), 1);
  EXPECT_EQ(daemon.metrics().value("diagnose_probe_errors_total", {{"probe", "deadly"}, {"kind", "quarantined"}}), 1);
  EXPECT_TRUE(std::filesystem::exists(tombstone(*daemon.folder(), "deadly")));
}

TEST(Quarantine, ItOutlivesARestartAndEndsWithARenewal) {
  Program program({"threads", "1", "100"});
  const std::string text = spec_text("deadly", at(program.pid(), "work"), counter("deadly"));
  const auto folder = died_under("deadly");
  {
    Daemon first({.specs = {{"one.yaml", text}}, .folder = folder});
    EXPECT_EQ(first.state_of("deadly"), "quarantined");
    EXPECT_EQ(first.terminate().status, 0);
  }
  Daemon daemon({.folder = folder});
  EXPECT_EQ(daemon.state_of("deadly"), "quarantined");
  EXPECT_EQ(daemon.ctl({"renew", "deadly"}).status, 0);
  EXPECT_EQ(daemon.state_of("deadly"), "armed");
  EXPECT_FALSE(std::filesystem::exists(tombstone(*folder, "deadly")));
  program.go();
  program.counts();
  EXPECT_EQ(daemon.metrics().value("deadly_total").value_or(-1), 100);
}

TEST(Quarantine, AnEditOfTheSpecTriesAgain) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon({.specs = {{"one.yaml", spec_text("deadly", at(program.pid(), "work"), counter("deadly"))}},
                       .folder = died_under("deadly")});
  ASSERT_EQ(daemon.state_of("deadly"), "quarantined");
  daemon.write_spec("one.yaml", spec_text("deadly", at(program.pid(), "work"), counter("milder")));
  EXPECT_TRUE(eventually([&] { return daemon.state_of("deadly") == "armed"; }));
}

TEST(Quarantine, AnAppliedSpecIsTriedAgainWhenItIsAppliedAgain) {
  const Program program({"threads", "1", "1"});
  const TemporaryFolder files;
  const std::string file = files.file("one.yaml");
  write_file(file, spec_text("deadly", at(program.pid(), "work"), counter("deadly")));
  auto folder = std::make_shared<TemporaryFolder>();
  {
    Daemon first({.folder = folder});
    ASSERT_EQ(first.ctl({"apply", file}).status, 0);
    first.kill();
  }
  write_file(tombstone(*folder, "deadly"), "");
  const Daemon daemon({.folder = folder});
  ASSERT_EQ(daemon.state_of("deadly"), "quarantined");
  EXPECT_EQ(daemon.ctl({"apply", file}).status, 0);
  EXPECT_EQ(daemon.state_of("deadly"), "armed");
  EXPECT_FALSE(std::filesystem::exists(tombstone(*folder, "deadly")));
}

TEST(Quarantine, WhatAPersonAttachesUnderThatIdIsAttached) {
  const Program program({"threads", "1", "1"});
  const Daemon daemon({.folder = died_under("deadly")});
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter",
                                     "--name", "deadly", "--id", "deadly"});
  EXPECT_EQ(attached.at("state"), "armed");
  EXPECT_FALSE(std::filesystem::exists(tombstone(*daemon.folder(), "deadly")));
}

TEST(Quarantine, ADaemonKilledInTheMiddleOfAttachingDoesNotDoItAgain) {
  Program many({"many"});
  auto folder = std::make_shared<TemporaryFolder>();
  std::filesystem::create_directories(folder->file("specs"));
  write_file(folder->file("specs") + "/many.yaml",
             spec_text("many", fmt::format("pid: {}, function: \"many_*\"", many.pid()), counter("many")));
  // Thousands of functions take a while; it is killed as soon as it has begun.
  const std::string grave = tombstone(*folder, "many");
  bool died_under_it = false;
  for (int attempt = 0; attempt < 50 && !died_under_it; ++attempt) {
    std::filesystem::remove(grave);
    Process daemon(daemon_command(*folder, free_port()));
    // It may have come and gone unseen on a busy host: once more then.
    const auto late = std::chrono::steady_clock::now() + 5s;
    while (daemon.running() && !std::filesystem::exists(grave) && std::chrono::steady_clock::now() < late) {
    }
    daemon.signal(SIGKILL);
    daemon.finish();
    died_under_it = std::filesystem::exists(grave);
  }
  ASSERT_TRUE(died_under_it);
  Daemon next({.folder = folder});
  EXPECT_EQ(next.state_of("many"), "quarantined");
  // Those by which the daemon measured its prices go soon.
  EXPECT_TRUE(eventually([&] { return links_of(next.pid()).empty(); }));
  EXPECT_TRUE(many.running());
  EXPECT_EQ(next.ctl({"renew", "many"}).status, 0);
  EXPECT_EQ(next.state_of("many"), "armed");
  EXPECT_EQ(next.terminate().status, 0);
  // It attached in peace: nobody suspects the spec from now on.
  const Daemon last({.folder = folder});
  EXPECT_EQ(last.state_of("many"), "armed");
}

}  // namespace
}  // namespace diagnose::test
