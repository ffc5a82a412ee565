// Returns of leaves, by one program at both ends where the kernel has sessions (6.13).
#include <fstream>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;

constexpr const char* spec = R"(
probes:
  session:
    target: {pid: %PID, function: work}
    instruments:
      - {type: counter, name: called, value: arg0}
      - {type: counter, name: returned, event: return, value: result}
      - {type: histogram, name: took, value: elapsed}
      - {type: histogram, name: thirds, event: end, value: result / 3, where: result % 2 == 0, labels: {ok: error}}
)";

std::string spec_for(pid_t pid, const std::string& more) {
  std::string text = spec + more;
  text.replace(text.find("%PID"), 4, std::to_string(pid));
  return text;
}

// Links of the daemon with breakpoints in the file of `threads`.
std::size_t links_on_threads(pid_t daemon) {
  std::size_t links = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(daemon) + "/fdinfo")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("path:", 0) == 0 && line.ends_with("/threads")) ++links;
    }
  }
  return links;
}

bool sessions_are_had() {
  utsname names{};
  int major = 0;
  int minor = 0;
  if (::uname(&names) != 0 || std::sscanf(names.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 16);  // 6.13; the paths of links are told from 6.16 on
}

// What `threads 8 2500` counts of itself, and what the probe counts.
void expect_exact(const Daemon& daemon, Program& program) {
  program.go();
  const auto counts = program.counts();
  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(metrics.sum("called_total"), counts.at("arguments"));
  EXPECT_EQ(metrics.sum("returned_total"), counts.at("results"));
  EXPECT_EQ(metrics.sum("took_seconds_count"), counts.at("calls"));
  EXPECT_EQ(metrics.sum("thirds_count", {{"ok", "false"}}), counts.at("calls") / 2);
  EXPECT_EQ(metrics.sum("diagnose_events_lost_total"), 0);
}

class Sessions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!sessions_are_had()) GTEST_SKIP() << "needs uprobe.session, and the paths of links";
  }

  json apply(const std::string& text) const {
    const std::string file = daemon_.folder()->file("session.yaml");
    write_file(file, text);
    return daemon_.json({"apply", file});
  }

  Daemon daemon_;
  Program program_{{"threads", "8", "2500"}};
};

TEST_F(Sessions, CountEveryCallAndReturnWithItsResultAndItsTime) {
  apply(spec_for(program_.pid(), ""));
  const auto status = daemon_.json({"status", "session"});
  EXPECT_EQ(status.at("return").at("strategy"), "trampoline") << status.dump();
  EXPECT_EQ(links_on_threads(daemon_.pid()), 1U) << "entry and return are one link";
  expect_exact(daemon_, program_);
}

// A frame is needed: `depth`, and a value of the call, are not to be had from a session.
TEST_F(Sessions, GiveWayToFramesWhereTheCallIsToBeRemembered) {
  apply(spec_for(program_.pid(), "      - {type: counter, name: remembered, event: return, value: arg0 + depth}\n"));
  EXPECT_EQ(links_on_threads(daemon_.pid()), 2U);
  expect_exact(daemon_, program_);
}

TEST_F(Sessions, EndAfterTheHitsTheyWereGiven) {
  apply(spec_for(program_.pid(), "    lifespan: 777 hits\n"));
  program_.go();
  EXPECT_TRUE(eventually([&] { return daemon_.state_of("session") == "expired"; })) << daemon_.state_of("session");
  program_.counts();
  const Metrics metrics = daemon_.metrics();
  EXPECT_EQ(metrics.sum("took_seconds_count"), 777);
  EXPECT_EQ(metrics.sum("diagnose_probe_hits_total", {{"probe", "session"}}), 777);
}

}  // namespace
}  // namespace diagnose::test
