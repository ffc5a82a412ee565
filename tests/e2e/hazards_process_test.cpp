// Processes: threads, forks, execs, jails, pids used again, files that are renamed and removed.
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/differential.h"
#include "e2e/spec_text.h"

namespace diagnose::test {
namespace {

TEST(HazardProcesses, TenThreadsAreCountedAndForksVforksAndExecsAreNot) {
  expect_the_same_under_every_probe({.command = {"family", "10", "200"}, .functions = {"work", "forks"}});
}

TEST(HazardProcesses, ByExeChildrenByForkVforkAndExecAreCountedWithTheirParent) {
  const Ended without = run({program_path("family"), "10", "200"}, "\n");
  const Daemon daemon({.specs = {{"all.yaml", spec_text("all", "exe: " + program_path("family") + ", function: work",
                                                        counter("all"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("all") == "armed"; })) << daemon.state_of("all");
  Program program({"family", "10", "200"});
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(counts, counts_in(without.out));
  EXPECT_EQ(daemon.metrics().value("all_total").value_or(-1),
            static_cast<double>(counts.at("work.calls") + counts.at("children")));
}

TEST(HazardProcesses, AJailedProcessIsNotKilledForASystemCallThatAProbeMade) {
  expect_the_same_under_every_probe(
      {.command = {"jail", "200"}, .functions = {"jailed", "jailed_nop"}, .trampoline_is_safe = true});
}

// From 6.14 on the kernel lets a trampoline's system call past every filter; a canary of the daemon's finds it out.
TEST(HazardProcesses, ATrampolineGoesUnderAFilterOnlyWhereTheKernelLetsItPast) {
  utsname names{};
  ASSERT_EQ(::uname(&names), 0);
  int major = 0;
  int minor = 0;
  ASSERT_EQ(std::sscanf(names.release, "%d.%d", &major, &minor), 2);
  if (major == 6 && minor >= 11 && minor < 14) GTEST_SKIP() << names.release << " may or may not have been repaired";
  Daemon daemon;
  Program jail({"jail", "200"});
  const auto attached = daemon.json({"attach", "--pid", std::to_string(jail.pid()), "jailed_nop", "--type", "counter",
                                     "--name", "jailed", "--event", "return", "--id", "jailed"});
  EXPECT_EQ(attached.at("return").at("strategy"), "trampoline") << attached.dump();
  jail.go();
  const Ended ended = jail.finish();
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(daemon.metrics().sum("jailed_total"), 200);
}

// The process of pid `pid`, started anew under that very number.
class Impostor {
 public:
  Impostor(pid_t pid, const std::string& path) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    const Fd read_end(ends[0]);
    input_ = Fd(ends[1]);
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uint64_t>(&pid);
    arguments.set_tid_size = 1;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (pid_ != 0) return;
    ::dup2(read_end.get(), STDIN_FILENO);
    ::close(input_.get());
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    ::execl(path.c_str(), path.c_str(), "2", "500", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;
  ~Impostor() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    if (pid_ > 0) wait();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Does its 1,000 calls; the status it ended with.
  int work() {
    input_.reset();
    return wait();
  }

 private:
  int wait() {
    int status = -1;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  Fd input_;
  pid_t pid_ = -1;
};

TEST(HazardProcesses, AnotherProcessUnderTheSamePidIsNotMeasured) {
  for (const bool daemon_sleeps : {false, true}) {
    SCOPED_TRACE(daemon_sleeps ? "while the daemon is stopped" : "while the daemon looks");
    std::optional<Program> program(std::in_place, Command{"threads", "2", "500"});
    const pid_t pid = program->pid();
    const Daemon daemon;
    daemon.json(
        {"attach", "--pid", std::to_string(pid), "work", "--type", "counter", "--name", "works", "--id", "first"});
    if (daemon_sleeps) daemon.signal(SIGSTOP);
    program->go();
    EXPECT_EQ(program->counts().at("calls"), 1000);
    program.reset();
    Impostor impostor(pid, program_path("threads"));
    ASSERT_EQ(impostor.pid(), pid) << std::strerror(errno);
    EXPECT_EQ(impostor.work(), 0);
    if (daemon_sleeps) daemon.signal(SIGCONT);
    EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 1000);
    EXPECT_TRUE(eventually([&] { return daemon.state_of("first") == "expired"; })) << daemon.state_of("first");
  }
}

TEST(HazardProcesses, AProbeOnAPidThatWasUsedBeforeMeasuresItsNewOwner) {
  const Daemon daemon;
  pid_t pid = 0;
  {
    Program program({"threads", "1", "10"});
    pid = program.pid();
    daemon.json({"attach", "--pid", std::to_string(pid), "work", "--type", "counter", "--name", "olds", "--id", "old"});
    program.go();
    EXPECT_EQ(program.counts().at("calls"), 10);
  }
  Impostor impostor(pid, program_path("threads"));
  ASSERT_EQ(impostor.pid(), pid) << std::strerror(errno);
  ASSERT_TRUE(eventually([&] {
    return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe") == program_path("threads");
  }));
  daemon.json({"attach", "--pid", std::to_string(pid), "work", "--type", "counter", "--name", "news", "--id", "new"});
  EXPECT_EQ(impostor.work(), 0);
  EXPECT_EQ(daemon.metrics().value("olds_total").value_or(-1), 10);
  EXPECT_EQ(daemon.metrics().value("news_total").value_or(-1), 1000);
}

class HazardMoved : public ::testing::Test {
 protected:
  HazardMoved() : path_(folder_.file("victim")) { std::filesystem::copy_file(program_path("threads"), path_); }

  // Attaches to the running program, whatever its path says by now, and compares.
  void expect_exact(Program& program) {
    const Daemon daemon;
    daemon.json({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "histogram", "--name", "times",
                 "--value", "elapsed", "--id", "moved"});
    EXPECT_EQ(daemon.metrics()
                  .value("diagnose_probe_installed", {{"probe", "moved"}, {"pid", std::to_string(program.pid())}})
                  .value_or(-1),
              1);
    program.go();
    EXPECT_EQ(program.counts().at("calls"), 2000);
    EXPECT_EQ(daemon.metrics().value("times_seconds_count").value_or(-1), 2000);
  }

  TemporaryFolder folder_;
  std::string path_;
};

TEST_F(HazardMoved, ABinaryThatWasReplacedByRenameIsProbedAsItRuns) {
  Program program({path_, "2", "1000"});
  std::filesystem::copy_file(program_path("recursion"), folder_.file("new"));
  std::filesystem::rename(folder_.file("new"), path_);
  expect_exact(program);
}

TEST_F(HazardMoved, ADeletedBinaryIsProbedAsItRuns) {
  Program program({path_, "2", "1000"});
  std::filesystem::remove(path_);
  expect_exact(program);
}

TEST_F(HazardMoved, AProbeByExeMeetsTheNewFileUnderTheOldName) {
  const Daemon daemon(
      {.specs = {{"exe.yaml", spec_text("exe", "exe: " + path_ + ", function: work", counter("works"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("exe") == "armed"; })) << daemon.state_of("exe");
  Program old({path_, "2", "1000"});
  std::filesystem::copy_file(program_path("forker"), folder_.file("new"));
  std::filesystem::rename(folder_.file("new"), path_);
  Program fresh({path_, "1", "300", "fork"});
  const Labels installed = {{"probe", "exe"}, {"pid", std::to_string(fresh.pid())}};
  ASSERT_TRUE(eventually([&] { return daemon.metrics().value("diagnose_probe_installed", installed) == 1; }))
      << daemon.json({"status", "exe"});
  old.go();
  EXPECT_EQ(old.counts().at("calls"), 2000);
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 2000);
  fresh.go();
  EXPECT_EQ(fresh.counts().at("calls"), 300);
  EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 2300);
}

}  // namespace
}  // namespace diagnose::test
