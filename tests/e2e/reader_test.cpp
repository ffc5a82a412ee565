// The reader of files is a process of its own, without privileges, and its death is nobody else's.
#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <signal.h>
#include <sstream>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

const std::string unit = TEST_SOURCE_DIR "/../packaging/diagnosed.service";

std::vector<pid_t> children_of(pid_t pid) {
  const std::string thread = std::to_string(pid);
  std::istringstream text(read_file("/proc/" + thread + "/task/" + thread + "/children"));
  return {std::istream_iterator<pid_t>(text), {}};
}

std::string status_line(pid_t pid, const std::string& field) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/status");
  std::smatch found;
  return std::regex_search(text, found, std::regex("\n" + field + ":\\s*(\\S+)")) ? found[1].str() : "no such line";
}

nlohmann::json attach(const Daemon& daemon, pid_t pid, const std::string& id) {
  return daemon.json({"attach", "--pid", std::to_string(pid), "work", "--type", "counter", "--name", id, "--id", id});
}

// The system calls that `SystemCallFilter=` of the unit lets through.
void add_calls(const std::string& name, std::set<std::string>& calls) {
  if (!name.starts_with("@")) {
    calls.insert(name);
    return;
  }
  const Ended group = run({"systemd-analyze", "syscall-filter", "--no-pager", name});
  std::istringstream lines(group.out);
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line);) {  // the first names the group
    const std::size_t start = line.find_first_not_of(' ');
    if (start != std::string::npos && line[start] != '#') add_calls(line.substr(start), calls);
  }
}

Command filtered_as_the_unit() {
  std::smatch found;
  const std::string text = read_file(unit);
  if (!std::regex_search(text, found, std::regex("\nSystemCallFilter=([^\n]+)"))) return {};
  std::set<std::string> calls;
  std::istringstream names(found[1].str());
  for (std::string name; names >> name;) add_calls(name, calls);
  Command wrapper = {program_path("filtered")};
  wrapper.insert(wrapper.end(), calls.begin(), calls.end());
  wrapper.emplace_back("--");
  return wrapper;
}

TEST(Reader, IsAChildWithoutPrivileges) {
  const Daemon daemon;
  const auto children = children_of(daemon.pid());
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(status_line(children.front(), "CapEff"), "0000000000000000");
  EXPECT_EQ(status_line(children.front(), "CapPrm"), "0000000000000000");
  EXPECT_EQ(status_line(children.front(), "NoNewPrivs"), "1");
  EXPECT_EQ(status_line(children.front(), "Seccomp"), "2");
}

TEST(Reader, KilledTheNextAttachWorksAllTheSame) {
  Program program({"threads", "2", "1000"});
  Daemon daemon;
  for (const char* id : {"first", "second", "third"}) {
    const auto children = children_of(daemon.pid());
    ASSERT_EQ(children.size(), 1U) << id;
    ASSERT_EQ(::kill(children.front(), SIGKILL), 0);
    ASSERT_TRUE(eventually([&] { return status_line(children.front(), "State") == "Z"; }));
    EXPECT_EQ(attach(daemon, program.pid(), id).at("state"), "armed");
  }
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(daemon.metrics().value("third_total").value_or(-1), 2000);
}

TEST(Reader, StoppedItIsAnErrorOnThatProbeAndTheDaemonGoesOn) {
  Program program({"threads", "2", "1000"});
  Daemon daemon;
  ASSERT_EQ(::kill(children_of(daemon.pid()).front(), SIGSTOP), 0);
  const Ended refused = daemon.ctl({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "counter",
                                    "--name", "first", "--id", "first"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, ::testing::HasSubstr("the reader of files did not answer within 10 s"));
  EXPECT_EQ(attach(daemon, program.pid(), "second").at("state"), "armed");
}

TEST(Reader, DiesWithTheDaemon) {
  Daemon daemon;
  const auto children = children_of(daemon.pid());
  ASSERT_EQ(children.size(), 1U);
  daemon.kill();
  EXPECT_TRUE(eventually([&] { return ::kill(children.front(), 0) != 0; }));
}

TEST(Reader, UnderTheUnitsSystemCallFilterItStartsAndTheDaemonCounts) {
  Program program({"threads", "2", "1000"});
  const Command wrapper = filtered_as_the_unit();
  ASSERT_GT(wrapper.size(), 100U);
  Daemon daemon({.wrapper = wrapper});
  EXPECT_EQ(attach(daemon, program.pid(), "works").at("state"), "armed");
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 2000);
  EXPECT_EQ(daemon.terminate().status, 0);
}

TEST(Reader, WhereSeccompIsRefusedTheDaemonDoesNotStartAndSaysWhy) {
  Command command = filtered_as_the_unit();
  std::erase(command, "seccomp");
  const TemporaryFolder folder;
  const Command daemon = daemon_command(folder, free_port());
  command.insert(command.end(), daemon.begin(), daemon.end());
  const Ended ended = run(command, "", 20s);
  EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.err, ::testing::HasSubstr("confine the reader of files: "));
}

}  // namespace
}  // namespace diagnose::test
