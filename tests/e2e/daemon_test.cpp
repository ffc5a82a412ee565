// The daemon as a service: signals, sockets, ports, its own sudden death.
#include "support/daemon.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <signal.h>

#include "e2e/spec_text.h"

namespace diagnose::test {
namespace {

TEST(DaemonLife, SigtermDetachesEverythingAndExitsWithStatus0WithinFiveSeconds) {
  Program program({"threads", "2", "0"});
  std::string text = "probes:\n";
  for (int i = 0; i < 20; ++i) {
    text += probe_text(fmt::format("probe-{}", i), at(program.pid(), "work"), counter(fmt::format("works_{}", i)));
  }
  Daemon daemon({.specs = {{"twenty.yaml", text}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("probe-19") == "armed"; }));
  program.go();
  const auto links = links_of(daemon.pid());
  ASSERT_FALSE(links.empty());
  const Ended ended = daemon.terminate(5s);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(still_there(links), 0U);
  EXPECT_FALSE(std::filesystem::exists(daemon.socket()));
  program.enough();
  EXPECT_GT(program.counts().at("calls"), 0);
}

TEST(DaemonLife, KilledUnderLoadItHarmsNobodyAndLeavesNoLink) {
  Program program({"threads", "4", "0"});
  Daemon daemon({.specs = {{"work.yaml", spec_text("work", at(program.pid(), "work"),
                                                   "type: histogram, name: works, value: elapsed")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("work") == "armed"; }));
  const auto links = links_of(daemon.pid());
  ASSERT_FALSE(links.empty());
  program.go();
  ASSERT_TRUE(eventually([&] { return daemon.metrics().value("works_seconds_count").value_or(0) > 1000; }));
  daemon.kill();
  EXPECT_TRUE(eventually([&] { return still_there(links) == 0; }));
  EXPECT_TRUE(program.running());
  program.enough();
  const auto counts = program.counts();
  EXPECT_GT(counts.at("calls"), 1000);
  EXPECT_EQ(counts.at("results"), 3 * counts.at("arguments"));
}

TEST(DaemonLife, ASocketLeftByADeadDaemonIsTakenOver) {
  Daemon dead;
  dead.kill();
  ASSERT_TRUE(std::filesystem::exists(dead.socket()));
  const Daemon next({.folder = dead.folder()});
  EXPECT_EQ(next.ctl({"list"}).status, 0);
}

TEST(DaemonLife, ASecondDaemonOnALiveSocketIsRefusedAndTheFirstOneStays) {
  const Daemon first;
  const TemporaryFolder folder;
  Command command = daemon_command(*first.folder(), free_port());
  command.at(8) = folder.file("state");
  const Ended second = run(command, "", 20s);
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find(first.socket()), std::string::npos) << second.err;
  EXPECT_EQ(first.ctl({"list"}).status, 0);
}

TEST(DaemonLife, ASecondDaemonOnTheSameStateIsRefused) {
  const Daemon first;
  Command command = daemon_command(*first.folder(), free_port());
  command.at(6) = first.folder()->file("other.sock");
  const Ended second = run(command, "", 20s);
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find(first.state()), std::string::npos) << second.err;
}

TEST(DaemonLife, APortThatIsTakenIsToldAndNothingStarts) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("specs"));
  const std::uint16_t port = free_port();
  const Fd taken = occupy(port);
  const Ended ended = run(daemon_command(folder, port), "", 20s);
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find(std::to_string(port)), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("in use"), std::string::npos) << ended.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("diagnosed.sock")));
}

TEST(DaemonLife, WithoutPrivilegesItSaysWhatIsMissing) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("specs"));
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  std::filesystem::copy_file(binary("diagnosed"), folder.file("diagnosed"));
  Command command = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"};
  for (const std::string& argument : daemon_command(folder, free_port())) command.push_back(argument);
  command.at(6) = folder.file("diagnosed");
  const Ended ended = run(command, "", 20s);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_NE(ended.err.find("CAP_BPF"), std::string::npos) << ended.err;
}

TEST(DaemonLife, WithoutBtfItRefusesToStartAndSaysSo) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("specs"));
  Command command = {"unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"", "sh"};
  for (const std::string& argument : daemon_command(folder, free_port())) command.push_back(argument);
  const Ended ended = run(command, "", 20s);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_NE(ended.err.find("BTF"), std::string::npos) << ended.err;
}

TEST(DaemonLife, SighupReadsTheSpecsAgainAndKeepsWhatDidNotChange) {
  Program program({"threads", "1", "1000"});
  const Daemon daemon({.specs = {{"kept.yaml", spec_text("kept", at(program.pid(), "work"), counter("kept"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("kept") == "armed"; }));
  program.go();
  ASSERT_EQ(program.counts().at("calls"), 1000);
  const Program other({"threads", "1", "1"});
  daemon.write_spec("new.yaml", spec_text("new", at(other.pid(), "work"), counter("new")));
  daemon.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return daemon.state_of("new") == "armed"; }));
  EXPECT_EQ(daemon.metrics().value("kept_total").value_or(-1), 1000);
}

TEST(DaemonLife, CheckLooksAtTheSpecsAndAttachesNothing) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("specs"));
  write_file(folder.file("specs/good.yaml"), spec_text("good", "comm: x, function: f", counter("good")));
  Command command = daemon_command(folder, free_port());
  command.emplace_back("--check");
  EXPECT_EQ(run(command, "", 20s).status, 0);
  write_file(folder.file("specs/bad.yaml"), "probes:\n  bad:\n    target: {comm: x, function: f}\n");
  const Ended ended = run(command, "", 20s);
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE((ended.out + ended.err).find("bad.yaml:"), std::string::npos) << ended.out << ended.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("diagnosed.sock")));
}

TEST(DaemonLife, ConfigurationFileGivesWhatTheCommandLineDoesNot) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("specs"));
  const std::uint16_t port = free_port();
  write_file(folder.file("diagnosed.yaml"),
             fmt::format("listen: 127.0.0.1:{}\nsocket: {}\nstate: {}\nspecs: [{}]\nretention: 10s\nlog_level: debug\n",
                         port, folder.file("sock"), folder.file("state"), folder.file("specs")));
  const Process daemon({binary("diagnosed"), "--config", folder.file("diagnosed.yaml")});
  EXPECT_TRUE(eventually([&] { return http_get(port, "/-/ready").has_value(); }));
  EXPECT_TRUE(eventually([&] { return run_cli(folder.file("sock"), {"list"}).status == 0; }));
}

TEST(DaemonLife, AFaultInTheConfigurationIsToldWithItsPlace) {
  const TemporaryFolder folder;
  write_file(folder.file("diagnosed.yaml"), "listen: 127.0.0.1:0\nretenshun: 10s\n");
  const Ended ended = run({binary("diagnosed"), "--config", folder.file("diagnosed.yaml")}, "", 20s);
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("diagnosed.yaml:2"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("retention"), std::string::npos) << ended.err;
}

}  // namespace
}  // namespace diagnose::test
