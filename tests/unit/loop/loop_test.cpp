#include "loop/loop.h"

#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/fd.h"

namespace diagnose::loop {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

class LoopTest : public testing::Test {
 protected:
  void SetUp() override {
    auto created = Loop::create();
    ASSERT_TRUE(created) << created.error().text();
    loop_ = std::move(*created);
  }
  std::unique_ptr<Loop> loop_;
};

TEST_F(LoopTest, RunReturnsTheStatusGivenToStop) {
  loop_->post([&] { loop_->stop(7); });
  EXPECT_EQ(loop_->run(), 7);
}

TEST_F(LoopTest, PostedJobsRunInOrderAndAJobPostedByAJobRunsAfterThem) {
  std::string order;
  loop_->post([&] {
    order += 'a';
    loop_->post([&] {
      order += 'c';
      loop_->stop(0);
    });
  });
  loop_->post([&] { order += 'b'; });
  EXPECT_EQ(loop_->run(), 0);
  EXPECT_EQ(order, "abc");
}

TEST_F(LoopTest, JobsPostedFromManyThreadsAllRunOnTheLoopsThread) {
  constexpr int threads = 8;
  constexpr int jobs = 1000;
  int ran = 0;
  bool elsewhere = false;
  const auto home = std::this_thread::get_id();
  std::vector<std::thread> posters;
  for (int i = 0; i < threads; ++i) {
    posters.emplace_back([&] {
      for (int j = 0; j < jobs; ++j) {
        loop_->post([&] {
          elsewhere = elsewhere || std::this_thread::get_id() != home;
          if (++ran == threads * jobs) loop_->stop(0);
        });
      }
    });
  }
  EXPECT_EQ(loop_->run(), 0);
  for (auto& poster : posters) poster.join();
  EXPECT_EQ(ran, threads * jobs);
  EXPECT_FALSE(elsewhere);
}

TEST_F(LoopTest, AReadableFdCallsItsSource) {
  auto pipe = make_pipe();
  auto source = loop_->on_fd(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t events) {
    EXPECT_TRUE(events & EPOLLIN);
    loop_->stop(3);
  });
  ASSERT_TRUE(source);
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  EXPECT_EQ(loop_->run(), 3);
}

TEST_F(LoopTest, AnFdWatchedForNothingIsSilentEvenWhenItHangsUp) {
  auto pipe = make_pipe();
  int calls = 0;
  auto source = loop_->on_fd(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t) {
    ++calls;
    loop_->stop(0);
  });
  ASSERT_TRUE(source);
  source->watch(0);
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  pipe.write_end.reset();
  auto later = loop_->on_timer([&] {
    EXPECT_EQ(calls, 0);
    source->watch(EPOLLIN);
  });
  ASSERT_TRUE(later);
  later->arm(1ms);
  EXPECT_EQ(loop_->run(), 0);
  EXPECT_EQ(calls, 1);
}

TEST_F(LoopTest, ACallbackMayDestroyItsOwnSource) {
  auto pipe = make_pipe();
  Source source;
  // Longer than a string's own storage, so that a freed closure shows under a sanitizer.
  const std::string word = "a text that the closure holds and reads after its source is gone";
  std::string seen;
  auto made = loop_->on_fd(pipe.read_end.get(), EPOLLIN, [&, word](std::uint32_t) {
    source = Source();
    seen = word;
    loop_->stop(0);
  });
  ASSERT_TRUE(made);
  source = std::move(*made);
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  EXPECT_EQ(loop_->run(), 0);
  EXPECT_EQ(seen, word);
  EXPECT_FALSE(source);
}

TEST_F(LoopTest, ADestroyedSourceIsNotCalledAgain) {
  auto pipe = make_pipe();
  int calls = 0;
  auto source = loop_->on_fd(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t) { ++calls; });
  ASSERT_TRUE(source);
  *source = Source();
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  auto end = loop_->on_timer([&] { loop_->stop(0); });
  ASSERT_TRUE(end);
  end->arm(5ms);
  EXPECT_EQ(loop_->run(), 0);
  EXPECT_EQ(calls, 0);
}

TEST_F(LoopTest, ATimerIsCreatedDisarmedAndFiresOncePerArming) {
  int fired = 0;
  auto never = loop_->on_timer([&] { ADD_FAILURE() << "was never armed"; });
  ASSERT_TRUE(never);
  Source timer;
  auto made = loop_->on_timer([&] {
    if (++fired < 3) timer.arm(1ms);
  });
  ASSERT_TRUE(made);
  timer = std::move(*made);
  timer.arm(1ms);
  Source end;
  auto made_end = loop_->on_timer([&] { fired < 3 ? end.arm(5ms) : loop_->stop(0); });
  ASSERT_TRUE(made_end);
  end = std::move(*made_end);
  end.arm(20ms);
  EXPECT_EQ(loop_->run(), 0);
  EXPECT_EQ(fired, 3);
}

TEST_F(LoopTest, ADisarmedTimerDoesNotFireAndATimeInThePastFiresAtOnce) {
  auto disarmed = loop_->on_timer([&] { ADD_FAILURE() << "was disarmed"; });
  ASSERT_TRUE(disarmed);
  disarmed->arm(1ms);
  disarmed->disarm();
  auto past = loop_->on_timer([&] { loop_->stop(0); });
  ASSERT_TRUE(past);
  past->arm(-1h);
  EXPECT_EQ(loop_->run(), 0);
}

class Blocked {
 public:
  explicit Blocked(int signal) {
    sigemptyset(&set_);
    sigaddset(&set_, signal);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &set_, nullptr), 0);
  }
  ~Blocked() { pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  sigset_t set_{};
};

TEST_F(LoopTest, ABlockedSignalReachesItsSource) {
  for (const int signal : {SIGHUP, SIGTERM, SIGINT, SIGIO}) {
    const Blocked blocked(signal);
    auto created = Loop::create();
    ASSERT_TRUE(created);
    auto& loop = **created;
    auto source =
        loop.on_signal(signal, [&](const signalfd_siginfo& caught) { loop.stop(static_cast<int>(caught.ssi_signo)); });
    ASSERT_TRUE(source) << source.error().text();
    ASSERT_EQ(kill(getpid(), signal), 0);
    EXPECT_EQ(loop.run(), signal);
  }
}

TEST_F(LoopTest, EveryQueuedRealTimeSignalIsSeenWithItsValue) {
  const int signal = SIGRTMIN + 3;
  const Blocked blocked(signal);
  std::vector<int> values;
  auto source = loop_->on_signal(signal, [&](const signalfd_siginfo& caught) {
    values.push_back(caught.ssi_int);
    if (values.size() == 3) loop_->stop(0);
  });
  ASSERT_TRUE(source) << source.error().text();
  for (int i = 1; i <= 3; ++i) ASSERT_EQ(sigqueue(getpid(), signal, sigval{.sival_int = i}), 0);
  EXPECT_EQ(loop_->run(), 0);
  EXPECT_EQ(values, (std::vector<int>{1, 2, 3}));
}

TEST_F(LoopTest, ASignalThatIsNotBlockedIsRefusedWithAMend) {
  auto source = loop_->on_signal(SIGUSR2, [](const signalfd_siginfo&) {});
  ASSERT_FALSE(source);
  EXPECT_NE(source.error().mend.find("block it"), std::string::npos);
}

TEST_F(LoopTest, AnFdThatCannotBeWatchedIsAnError) {
  auto source = loop_->on_fd(-1, EPOLLIN, [](std::uint32_t) {});
  EXPECT_FALSE(source);
}

}  // namespace
}  // namespace diagnose::loop
