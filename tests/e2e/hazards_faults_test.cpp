// What goes wrong while a probe is being attached is an error on that probe: the daemon lives, and nothing of it is
// left in the kernel.
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <signal.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include "e2e/differential.h"
#include "e2e/spec_text.h"
#include "support/bpf_objects.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class HazardFaults : public ::testing::Test {
 protected:
  HazardFaults() : before_(bpf_objects_of(daemon_.pid())) {}

  // The attempt that is expected to fail, or may: an `elapsed` histogram has every program and map there is.
  Ended attach(const Command& target, const std::string& function, const std::string& id) {
    Command command = {"attach"};
    command.insert(command.end(), target.begin(), target.end());
    command.insert(command.end(),
                   {function, "--type", "histogram", "--name", "times", "--value", "elapsed", "--id", id});
    return daemon_.ctl(command);
  }

  // Said in one line, and nothing stays.
  void expect_refused(const Ended& ended) {
    EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << "one line, not this: " << ended.err;
    expect_as_before();
  }

  void expect_as_before() {
    EXPECT_TRUE(daemon_.running()) << "the daemon has died";
    EXPECT_TRUE(eventually([&] { return bpf_objects_of(daemon_.pid()) == before_; }))
        << "before: " << before_.text() << ", now: " << bpf_objects_of(daemon_.pid()).text();
  }

  void expect_it_works() {
    Program program({"threads", "2", "500"});
    const Ended ended = attach({"--pid", std::to_string(program.pid())}, "work", "works");
    ASSERT_EQ(ended.status, 0) << ended.err;
    program.go();
    EXPECT_EQ(program.counts().at("calls"), 1000);
    EXPECT_EQ(daemon_.metrics().value("times_seconds_count", {{"probe", "works"}}).value_or(-1), 1000);
    EXPECT_EQ(daemon_.ctl({"detach", "works"}).status, 0);
  }

  TemporaryFolder folder_;
  Daemon daemon_;
  BpfObjects before_;
};

TEST_F(HazardFaults, AFileThatWasCutOffAnywhereIsRefused) {
  const std::string whole = read_file(program_path("threads"));
  const std::string path = folder_.file("cut");
  std::mt19937 dice(3);
  for (int round = 0; round < 30; ++round) {
    // Most of what matters stands in the first and last thousands of bytes.
    const std::size_t size = round < 10 ? static_cast<std::size_t>(round) * 13 : dice() % whole.size();
    write_file(path, whole.substr(0, size));
    SCOPED_TRACE(fmt::format("{} bytes", size));
    expect_refused(attach({"--exe", path}, "work", "cut"));
  }
  expect_it_works();
}

TEST_F(HazardFaults, AFileWithWrongBytesAnywhereIsRefusedOrReadButEndsNobody) {
  const std::string whole = read_file(program_path("threads"));
  std::mt19937 dice(5);
  for (int round = 0; round < 40; ++round) {
    const std::string path = folder_.file(fmt::format("wrong{}", round));
    std::string bytes = whole;
    for (int i = 0; i < 40; ++i) {
      // Headers, symbols and sections' headers rather than code.
      const std::size_t at = i % 4 == 0 ? dice() % 64 : i % 4 == 1 ? dice() % 1024 : dice() % bytes.size();
      if (at >= 4) bytes[at] = static_cast<char>(dice());
    }
    write_file(path, bytes);
    const Ended ended = attach({"--exe", path}, "work", "wrong");
    if (ended.status == 0) {
      EXPECT_EQ(daemon_.ctl({"detach", "wrong"}).status, 0);
    }
    expect_as_before();
  }
  expect_it_works();
}

TEST_F(HazardFaults, AnotherBuildIdIsRefusedWithBothAndTheRightOneIsTaken) {
  Program program({"threads", "2", "500"});
  const auto spec = [&](const std::string& build_id) {
    return spec_text("pinned", at(program.pid(), "work") + ", build_id: \"" + build_id + "\"", counter("works"));
  };
  const std::string wrong = "0123456789abcdef0123456789abcdef01234567";
  const std::string file = folder_.file("pinned.yaml");
  write_file(file, spec(wrong));
  EXPECT_EQ(daemon_.ctl({"apply", file}).status, 1);
  const std::string said = daemon_.json({"status", "pinned"}).at("errors").dump();
  EXPECT_THAT(said, HasSubstr(wrong));
  const std::size_t own = said.find("build id ");
  EXPECT_NE(own, std::string::npos) << said;
  EXPECT_EQ(daemon_.ctl({"detach", "pinned"}).status, 0);
  expect_as_before();

  const Ended notes = run({"readelf", "-n", program.path()});
  const std::size_t at_id = notes.out.find("Build ID: ");
  ASSERT_NE(at_id, std::string::npos) << notes.out;
  write_file(file, spec(notes.out.substr(at_id + 10, 40)));
  EXPECT_EQ(daemon_.ctl({"apply", file}).status, 0);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(daemon_.metrics().value("works_total").value_or(-1), 1000);
}

TEST_F(HazardFaults, ABinaryThatIsReplacedAgainAndAgainWhileItIsAttachedHarmsNobody) {
  const std::string path = folder_.file("victim");
  const std::string versions[] = {folder_.file("recursion"), folder_.file("threads")};
  std::filesystem::copy_file(program_path("recursion"), versions[0]);
  std::filesystem::copy_file(program_path("threads"), versions[1]);
  std::filesystem::create_hard_link(versions[1], path);
  std::atomic<bool> stop = false;
  std::thread replacer([&] {
    for (std::size_t i = 0; !stop; ++i) {
      const std::string next = folder_.file("next");
      std::filesystem::create_hard_link(versions[i % 2], next);
      std::filesystem::rename(next, path);
    }
  });
  for (int round = 0; round < 30; ++round) {
    const Ended ended = attach({"--exe", path}, "work", "victim");
    EXPECT_THAT(ended.status, ::testing::AnyOf(0, 1)) << ended.err;
    // Either program takes these arguments.
    const Ended program = run({path, "2", "100"}, "\n");
    EXPECT_EQ(program.status, 0) << program.err;
    if (ended.status == 0) {
      EXPECT_EQ(daemon_.ctl({"detach", "victim"}).status, 0);
    }
  }
  stop = true;
  replacer.join();
  expect_as_before();
  expect_it_works();
}

TEST_F(HazardFaults, WithoutALeaseOnTheFileItsProcessesAreAttachedOneByOne) {
  const std::string library = folder_.file("libcounted.so");
  std::filesystem::copy_file(program_path("libcounted.so"), library);
  const Fd writer(::open(library.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(static_cast<bool>(writer));
  Program program({"/usr/bin/env", "LD_LIBRARY_PATH=" + folder_.path().string(), program_path("uses_library"), "500"});
  const std::string file = folder_.file("all.yaml");
  write_file(file, spec_text("all", "all: true, module: " + library + ", function: counted_add", counter("counts")));
  ASSERT_EQ(daemon_.ctl({"apply", file}).status, 0);
  const json status = daemon_.json({"status", "all"});
  EXPECT_EQ(status.at("state"), "armed") << status;
  EXPECT_THAT(status.dump(), HasSubstr("lease")) << "and says why";
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(daemon_.metrics().value("counts_total").value_or(-1), static_cast<double>(counts.at("calls")));
}

// Descriptors run out at one step after the other, as memory for maps and programs would.
TEST_F(HazardFaults, WhateverTheKernelRefusesOnTheWayNothingStays) {
  Program program({"threads", "2", "500"});
  const std::size_t used = descriptors_of(daemon_.pid());
  rlimit own{};
  ASSERT_EQ(::prlimit(daemon_.pid(), RLIMIT_NOFILE, nullptr, &own), 0);
  int refused = 0;
  bool attached = false;
  // One descriptor is the client's.
  for (std::size_t more = 1; more < 60 && !attached; ++more) {
    SCOPED_TRACE(fmt::format("{} more descriptors", more));
    const rlimit few{.rlim_cur = used + more, .rlim_max = own.rlim_max};
    ASSERT_EQ(::prlimit(daemon_.pid(), RLIMIT_NOFILE, &few, nullptr), 0);
    const json request = {
        {"jsonrpc", "2.0"},
        {"id", 1},
        {"method", "attach"},
        {"params",
         {{"id", "few"},
          {"spec",
           {{"target", {{"pid", program.pid()}, {"function", "work"}}},
            {"instruments",
             json::array({{{"type", "histogram"}, {"name", "times"}, {"value", "elapsed"}},
                          {{"type", "counter"}, {"name", "calls"}, {"labels", {{"l", "arg0 % 3"}}}}})}}}}}};
    UnixClient client(daemon_.socket());
    const bool asked = client.connected() && client.send(request.dump() + "\n");
    const auto line = asked ? client.line() : std::nullopt;
    ASSERT_EQ(::prlimit(daemon_.pid(), RLIMIT_NOFILE, &own, nullptr), 0);
    if (!line) continue;  // not even a client could be let in
    const json answer = json::parse(*line);
    RecordProperty(fmt::format("with {}", more), answer.dump());
    attached = answer.contains("result");
    if (attached) break;
    ++refused;
    EXPECT_FALSE(answer.at("error").at("message").get<std::string>().empty()) << answer;
    expect_as_before();
  }
  EXPECT_GT(refused, 3) << "the limit was never met: the test tests nothing";
  EXPECT_TRUE(attached);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(daemon_.metrics().value("times_seconds_count").value_or(-1), 1000);
}

std::string attach_request(const std::string& id, pid_t pid, const std::string& function) {
  const json spec = {{"target", {{"pid", pid}, {"function", function}}},
                     {"instruments", json::array({{{"type", "histogram"}, {"name", "times"}, {"value", "elapsed"}}})}};
  return json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", "attach"}, {"params", {{"id", id}, {"spec", spec}}}}.dump() +
         "\n";
}

TEST_F(HazardFaults, ATargetThatDiesWhileItIsAttachedIsToldSo) {
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    Program program({"threads", "1", "1"});
    UnixClient client(daemon_.socket());
    ASSERT_TRUE(client.send(attach_request("mortal", program.pid(), "work")));
    std::this_thread::sleep_for(std::chrono::microseconds(round * 400));
    program.signal(SIGKILL);
    const auto line = client.line();
    ASSERT_TRUE(line) << "no answer";
    const json answer = json::parse(*line);
    if (answer.contains("error")) {
      ++refused;
      EXPECT_FALSE(answer.at("error").at("message").get<std::string>().empty()) << answer;
    } else {
      program.finish();
      // Dead: it ends by itself, and may be taken away by hand before that.
      const Ended detached = daemon_.ctl({"detach", "mortal"});
      EXPECT_EQ(detached.status, 0) << detached.err;
    }
  }
  EXPECT_GT(refused, 0) << "it always died too late: the test tests nothing";
  expect_as_before();
  expect_it_works();
}

TEST_F(HazardFaults, ATargetThatExecutesItselfAnewWhileItIsAttachedRunsOn) {
  for (int round = 0; round < 40; ++round) {
    Program program({"changeling", "3"});
    UnixClient client(daemon_.socket());
    ASSERT_TRUE(client.send(attach_request("changing", program.pid(), "work")));
    std::this_thread::sleep_for(std::chrono::microseconds(round * 600));
    program.go();
    const auto line = client.line();
    ASSERT_TRUE(line) << "no answer";
    const Ended ended = program.finish();
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 2) << "two more lives: " << ended.out;
    if (json::parse(*line).contains("result")) {
      const Ended detached = daemon_.ctl({"detach", "changing"});
      EXPECT_EQ(detached.status, 0) << detached.err;
    }
  }
  expect_as_before();
  expect_it_works();
}

TEST(HazardLife, ADaemonKilledInTheMiddleOfAttachingLeavesNothingInTheKernelAndTheTargetRunsOn) {
  BpfObjects seen;
  int interrupted = 0;
  for (int round = 0; round < 12; ++round) {
    Program program({"many"});
    Daemon daemon;
    UnixClient client(daemon.socket());
    ASSERT_TRUE(client.send(attach_request("many", program.pid(), "re:^many_")));
    std::this_thread::sleep_for(std::chrono::milliseconds(round * 12));
    seen.add(bpf_objects_of(daemon.pid()));
    if (bpf_objects_of(daemon.pid()).links.empty()) ++interrupted;
    daemon.kill();
    program.go();
    const Ended ended = program.finish();
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(counts_in(ended.out).at("calls"), 2000);
  }
  EXPECT_GT(interrupted, 0) << "it was always attached before: the test tests nothing";
  EXPECT_FALSE(seen.empty());
  EXPECT_TRUE(eventually([&] { return remaining(seen).empty(); })) << remaining(seen).text();
}

TEST(HazardLife, NothingIsMeasuredAfterTheDeadlineWhileTheDaemonIsStopped) {
  Process program({program_path("metronome")});
  program.line();
  const auto so_far = [&] {
    program.write("\n");
    return counts_in(program.line()).at("calls");
  };
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "tick", "--type", "counter", "--name", "ticks", "--id",
               "short", "--lifespan", "2s"});
  program.write("\n");
  daemon.signal(SIGSTOP);
  std::this_thread::sleep_for(2500ms);
  const long at_deadline = so_far();
  std::this_thread::sleep_for(500ms);
  EXPECT_GT(so_far(), at_deadline) << "the target stands still";
  daemon.signal(SIGCONT);
  const double measured = daemon.metrics().value("ticks_total").value_or(-1);
  EXPECT_GT(measured, 0);
  EXPECT_LE(measured, static_cast<double>(at_deadline));
  EXPECT_TRUE(eventually([&] { return daemon.state_of("short") == "expired"; })) << daemon.state_of("short");
  EXPECT_EQ(daemon.metrics().value("ticks_total").value_or(-1), measured);
}

TEST(HazardLife, TwoThousandFunctionsExpireAndTheDaemonAnswersMeanwhile) {
  const Program program({"many"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "re:^many_", "--type", "histogram", "--name", "times",
               "--value", "elapsed", "--id", "many", "--lifespan", "2s"});
  const auto links = links_of(daemon.pid());
  ASSERT_FALSE(links.empty());
  UnixClient client(daemon.socket());
  auto longest = 0ns;
  std::string last;
  const auto asked = [&] {
    const auto start = std::chrono::steady_clock::now();
    client.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n");
    last = client.line().value_or("");
    longest = std::max<std::chrono::nanoseconds>(longest, std::chrono::steady_clock::now() - start);
    return last.find("armed") == std::string::npos;
  };
  EXPECT_TRUE(eventually(asked, 20s)) << last;
  EXPECT_TRUE(eventually([&] { return asked() && still_there(links) == 0; }, 20s));
  // One by one they would take minutes; what a busy machine adds is no matter.
  EXPECT_LT(longest, 1s);
}

TEST(HazardMemory, AStringWhosePageIsNotThereIsBroughtInAndOneThatNobodyHasIsUnreadable) {
  Program program({"untouched", "50"});
  const Daemon daemon(
      {.specs = {{"say.yaml", spec_text("say", at(program.pid(), "say"),
                                        "type: counter, name: said, labels: {text: \"str(arg0, 16)\"}")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("say") == "armed"; })) << daemon.state_of("say");
  program.go();
  const auto counts = program.counts();
  const auto said = [&](const std::string& text) {
    return daemon.metrics().value("said_total", {{"text", text}}).value_or(0);
  };
  const auto unreadable = [&] {
    return daemon.metrics()
        .value("diagnose_events_lost_total", {{"probe", "say"}, {"reason", "unreadable"}})
        .value_or(0);
  };
  const auto calls = static_cast<double>(counts.at("say.calls"));
  EXPECT_TRUE(eventually([&] { return said("hidden") + unreadable() == calls; }))
      << said("hidden") << " read, " << unreadable() << " unreadable of " << calls;
  EXPECT_EQ(said(""), 0);
  EXPECT_EQ(daemon.metrics().sum("said_total"), said("hidden"));
  EXPECT_EQ(said("hidden"), static_cast<double>(counts.at("readable"))) << "with uprobe_multi programs may sleep";
  EXPECT_EQ(unreadable(), 1) << "one pointer leads to memory of nobody";
}

// A file that is overwritten in place as soon as nobody runs it, each time by the other of two programs, each time once
// somebody has run it.
class Overwriter {
 public:
  explicit Overwriter(std::string path) : path_(std::move(path)), thread_([this] { work(); }) {}
  ~Overwriter() {
    stop_ = true;
    thread_.join();
  }
  Overwriter(const Overwriter&) = delete;
  Overwriter& operator=(const Overwriter&) = delete;

  void has_run() { ++runs_; }

 private:
  void work() {
    int seen = -1;
    for (std::size_t turn = 0; !stop_;) {
      std::this_thread::yield();
      if (runs_ == seen) continue;
      const Fd file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));  // waits until the daemon has let go
      if (!file) continue;                                         // somebody runs it now
      seen = runs_;
      const std::string& bytes = versions_[turn++ % 2];
      if (::ftruncate(file.get(), 0) != 0 ||
          ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
        ADD_FAILURE() << "cannot write: " << std::strerror(errno);
      }
    }
  }

  const std::string path_;
  const std::string versions_[2] = {read_file(program_path("forker")), read_file(program_path("threads"))};
  std::atomic<bool> stop_ = false;
  std::atomic<int> runs_ = 0;
  std::thread thread_;
};

TEST(HazardOverwrite, ProgramsThatStartWhileAProbedFileIsOverwrittenInPlaceRunAsTheyShould) {
  const TemporaryFolder folder;
  const std::string path = folder.file("victim");
  std::filesystem::copy_file(program_path("threads"), path);
  const Daemon daemon(
      {.specs = {{"victim.yaml", spec_text("victim", "exe: " + path + ", function: work", counter("works"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("victim") == "armed"; })) << daemon.state_of("victim");
  const auto given_back = [&] {
    return daemon.metrics().value("diagnose_probe_errors_total", {{"probe", "victim"}, {"kind", "lease"}}).value_or(0);
  };
  int ran = 0;
  Overwriter overwriter(path);
  // Three times attached, overwritten and attached again, and many starts in each state.
  EXPECT_TRUE(eventually(
      [&] {
        // Status 126: it could not be executed, as it was being written.
        const Ended ended = run({"/bin/sh", "-c", "exec \"$0\" 2 50", path}, "\n");
        if (ended.status == 126) return false;
        EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
        EXPECT_EQ(counts_in(ended.out)["calls"], 100) << ended.out;
        overwriter.has_run();
        return ++ran >= 50 && given_back() >= 3;
      },
      120s))
      << ran << " programs ran, " << given_back() << " leases were given back";
}

}  // namespace
}  // namespace diagnose::test
