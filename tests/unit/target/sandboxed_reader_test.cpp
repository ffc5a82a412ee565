// The reader in a child without privileges: whatever the child does, the daemon gets an answer or an error.
#include "target/sandboxed_reader.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <regex>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/debug_info.h"

namespace diagnose::target {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr ReaderChild::Patience patience{.cpu = 300ms, .wait = 20s};

std::unique_ptr<SandboxedReader> hostile(SandboxedReader::Options options = {.command = {}, .patience = patience}) {
  options.command = {std::string(TEST_PROGRAMS_DIR) + "/hostile_reader"};
  auto reader = SandboxedReader::start(std::move(options));
  EXPECT_TRUE(reader) << reader.error().text();
  return reader ? std::move(*reader) : nullptr;
}

Fd file_of(std::size_t bytes) {
  Fd file(::memfd_create("target", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
  return file;
}

Result<FileAnswer> ask(FileReader& reader, const std::string& what, int fd) {
  return reader.read({.fd = fd, .name = "/bin/target", .function = what, .build_id = {}});
}

Result<FileAnswer> ask(FileReader& reader, const std::string& what) {
  const Fd file = file_of(100);
  return ask(reader, what, file.get());
}

std::string why(FileReader& reader, const std::string& what) {
  const auto answer = ask(reader, what);
  return answer ? "it answered" : answer.error().why;
}

std::string status_of(pid_t pid, const std::string& field) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  const std::string text{std::istreambuf_iterator<char>(status), {}};
  std::smatch found;
  return std::regex_search(text, found, std::regex("\n" + field + ":\\s*(\\S+)")) ? found[1].str() : "no such line";
}

TEST(SandboxedReader, AnswersAndErrorsOfTheChildComeThroughAsTheyAre) {
  const auto reader = hostile();
  const auto answer = ask(*reader, "size");
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_THAT(answer->nearest, ElementsAre("100"));
  const auto failed = ask(*reader, "fail");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error(), (Error{.what = "a", .where = "b", .why = "c", .mend = "d"}));
  EXPECT_THAT(reader->pids(), SizeIs(1));
}

TEST(SandboxedReader, TheChildHasNoCapabilitiesNoNewPrivilegesAndAFilter) {
  const auto reader = hostile();
  ASSERT_THAT(reader->pids(), SizeIs(1));
  const pid_t pid = reader->pids().front();
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_EQ(status_of(pid, set), "0000000000000000") << set;
  }
  EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1");
  EXPECT_EQ(status_of(pid, "Seccomp"), "2");
  EXPECT_EQ(status_of(pid, "Threads"), "1");
}

TEST(SandboxedReader, TheChildHasNoFilesButItsSocketTheFileAskedAboutAndNothing) {
  const Fd of_the_daemon = file_of(1);
  const Fd inherited(::dup(of_the_daemon.get()));  // not close-on-exec
  const auto reader = hostile();
  const auto answer = ask(*reader, "descriptors");
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_THAT(answer->nearest, ElementsAre("0", "1", "2", "3", "4"));
  // And the file is closed behind the answer.
  EXPECT_THAT(ask(*reader, "descriptors")->nearest, SizeIs(5));
}

TEST(SandboxedReader, TheChildCanOpenNothing) {
  const auto reader = hostile();
  const auto answer = ask(*reader, "open");
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_THAT(answer->nearest, ElementsAre("Permission denied"));
}

TEST(SandboxedReader, TheChildCanOpenWhatItWasGivenByItsNameToReadAndNothingElse) {
  const auto reader = hostile();
  const Fd file = file_of(100);
  const Fd given = file_of(17);
  const auto answer = reader->read({.fd = file.get(),
                                    .name = "/bin/target",
                                    .function = "open given",
                                    .split = {.fds = {given.get()}, .names = {"/given"}},
                                    .build_id = {}});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_THAT(answer->nearest, ElementsAre("17", "Permission denied", "Permission denied", "/file"));
  // And not in the next request.
  const auto next = ask(*reader, "open given");
  ASSERT_TRUE(next) << next.error().text();
  EXPECT_THAT(next->nearest,
              ElementsAre("Permission denied", "Permission denied", "Permission denied", "Permission denied"));
}

TEST(SandboxedReader, AChildThatConnectsForksMakesCodeOrSignalsIsKilled) {
  const auto reader = hostile();
  for (const char* what : {"connect", "fork", "execute", "kill"}) {
    EXPECT_THAT(why(*reader, what), HasSubstr("killed by SIGSYS")) << what;
  }
  EXPECT_TRUE(ask(*reader, "nothing"));
}

TEST(SandboxedReader, AChildThatCrashesAbortsOrExitsIsAnErrorAndTheNextRequestIsServed) {
  const auto reader = hostile();
  EXPECT_THAT(why(*reader, "crash"), HasSubstr("killed by SIGSEGV"));
  EXPECT_TRUE(ask(*reader, "nothing"));
  EXPECT_THAT(why(*reader, "abort"), HasSubstr("killed by SIGABRT"));
  EXPECT_THAT(why(*reader, "exit"), HasSubstr("ended with status 7"));
  const auto crashed = ask(*reader, "crash");
  ASSERT_FALSE(crashed);
  EXPECT_EQ(crashed.error().what, "find `crash`");
  EXPECT_EQ(crashed.error().where, "/bin/target");
  EXPECT_THAT(crashed.error().mend, HasSubstr("check that the file is whole"));
  EXPECT_TRUE(ask(*reader, "nothing"));
}

TEST(SandboxedReader, AChildThatSpinsIsStoppedAfterItsProcessorTime) {
  const auto reader = hostile();
  EXPECT_EQ(why(*reader, "hang"), "the reader of files was stopped after 0.3 s of processor time");
  EXPECT_TRUE(ask(*reader, "nothing"));
}

TEST(SandboxedReader, AChildThatSleepsIsStoppedAfterTheWait) {
  const auto reader = hostile({.command = {}, .patience = {.cpu = 10s, .wait = 500ms}});
  EXPECT_EQ(why(*reader, "sleep"), "the reader of files did not answer within 0.5 s");
  EXPECT_TRUE(ask(*reader, "nothing"));
}

#ifndef __SANITIZE_ADDRESS__  // whose own memory goes by no limit
TEST(SandboxedReader, AChildThatEatsMemoryIsAnErrorAndDoesNotHarmTheNextRequest) {
  const auto reader = hostile({.command = {}, .patience = {.cpu = 10s, .wait = 60s}});
  EXPECT_THAT(why(*reader, "eat"), HasSubstr("more than 1024 MiB of memory"));
  EXPECT_TRUE(ask(*reader, "nothing"));
}
#endif

TEST(SandboxedReader, AChildThatLiesIsAnErrorAndReplaced) {
  const auto reader = hostile();
  for (const char* what : {"garbage", "flood"}) {
    EXPECT_THAT(why(*reader, what), HasSubstr("makes no sense")) << what;
    EXPECT_TRUE(ask(*reader, "nothing")) << what;
  }
  EXPECT_THAT(why(*reader, "register"), HasSubstr("makes no sense: there is no such register"));
  const Fd file = file_of(1);
  const auto sites = reader->return_sites({.fd = file.get(), .name = "f", .return_offsets = {FileOffset{1}}});
  ASSERT_FALSE(sites);
  EXPECT_THAT(sites.error().why, HasSubstr("not one place for each call"));
  const auto described = reader->describe({.fd = file.get(), .name = "f"});
  ASSERT_FALSE(described);
  EXPECT_THAT(described.error().why, HasSubstr("there are no types"));
  EXPECT_TRUE(reader->list({.fd = file.get(), .name = "f", .pattern = {}}));
}

TEST(SandboxedReader, AChildKilledWhileIdleIsReplacedWithoutAnError) {
  const auto reader = hostile();
  const pid_t first = reader->pids().front();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  siginfo_t gone{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(first), &gone, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(ask(*reader, "nothing"));
  EXPECT_NE(reader->pids().front(), first);
}

TEST(SandboxedReader, AChildRetiresAfterItsRequestsAndWhenItKeepsMuchMemory) {
  const auto reader = hostile({.command = {}, .patience = {.cpu = 10s, .wait = 60s}, .requests = 3});
  const pid_t first = reader->pids().front();
  EXPECT_TRUE(ask(*reader, "nothing"));
  EXPECT_TRUE(ask(*reader, "nothing"));
  EXPECT_EQ(reader->pids().front(), first);
  EXPECT_TRUE(ask(*reader, "nothing"));
  const pid_t second = reader->pids().front();
  EXPECT_NE(second, first);
  EXPECT_TRUE(ask(*reader, "keep"));
  EXPECT_NE(reader->pids().front(), second);
}

TEST(SandboxedReader, NoChildGoesFromOneOwnersFilesToAnothers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to own files as others";
  const auto reader = hostile();
  const auto ask_as = [&](uid_t owner) {
    const Fd file = file_of(1);
    EXPECT_EQ(::fchown(file.get(), owner, owner), 0);
    EXPECT_TRUE(ask(*reader, "nothing", file.get()));
    return reader->pids();
  };
  const auto of_root = ask_as(0);
  ASSERT_THAT(of_root, SizeIs(1));
  const auto with_1000 = ask_as(1000);
  ASSERT_THAT(with_1000, SizeIs(2));
  EXPECT_EQ(with_1000.front(), of_root.front());
  EXPECT_EQ(ask_as(1000), with_1000);
  const auto with_1001 = ask_as(1001);
  EXPECT_EQ(with_1001.front(), of_root.front());
  EXPECT_NE(with_1001.back(), with_1000.back());
  EXPECT_EQ(ask_as(0), with_1001);
  // A file of one owner with debug information of another.
  const Fd file = file_of(1);
  const Fd debug = file_of(1);
  ASSERT_EQ(::fchown(file.get(), 1001, 1001), 0);
  ASSERT_EQ(::fchown(debug.get(), 1000, 1000), 0);
  EXPECT_TRUE(reader->list({.fd = file.get(), .name = "f", .pattern = {}, .debug_fds = {debug.get()}}));
  EXPECT_NE(ask_as(1001).back(), with_1001.back());
}

TEST(SandboxedReader, AFileThatIsNotOpenIsAnErrorAndCostsNoChild) {
  const auto reader = hostile();
  const auto before = reader->pids();
  const auto answer = ask(*reader, "size", 987);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().why, "Bad file descriptor");
  EXPECT_EQ(reader->pids(), before);
}

TEST(SandboxedReader, WithoutAProgramToRunItSaysSoAtTheStart) {
  EXPECT_FALSE(SandboxedReader::start({.command = {"/no/such/program"}}));
  const auto other = SandboxedReader::start({.command = {"/bin/true"}});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().text(), HasSubstr("start the reader of files: the reader of files ended with status 0"));
}

TEST(SandboxedReader, ARoundTripToALivingChildIsCheap) {
  const auto reader = hostile();
  const Fd file = file_of(1);
  EXPECT_TRUE(ask(*reader, "nothing", file.get()));
  // The best of many, as the host may be busy.
  auto best = std::chrono::nanoseconds::max();
  for (int round = 0; round < 200; ++round) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(ask(*reader, "nothing", file.get()));
    best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - start);
  }
  RecordProperty("round_trip_ns", std::to_string(best.count()));
  std::printf("a round trip: %.0f us\n", static_cast<double>(best.count()) / 1000);
  EXPECT_LT(best, 1ms);
}

}  // namespace
}  // namespace diagnose::target
