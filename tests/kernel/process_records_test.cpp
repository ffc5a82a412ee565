// What the kernel tells of processes to come: the records that wake the daemon.
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>

#include "bpf/contract.h"
#include "compile/stencil.h"
#include "drain/ring.h"
#include "loop/loop.h"
#include "support/process.h"

namespace diagnose::test {
namespace {

class ProcessRecords : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loaded = compile::Stencils::load();
    ASSERT_TRUE(loaded) << loaded.error().text();
    stencils_ = std::move(*loaded);
    auto loop = loop::Loop::create();
    ASSERT_TRUE(loop);
    loop_ = std::move(*loop);
    auto ring = drain::Ring::open(*loop_, stencils_->records_fd(), [this](const drain::RawRecord& raw) {
      const auto tgid = static_cast<pid_t>(raw.tgid);
      if (raw.kind == RECORD_FORK) children_[tgid].insert(static_cast<pid_t>(raw.tid));
      ++records_[tgid];
    });
    ASSERT_TRUE(ring);
    ring_ = std::move(*ring);
    const Status following = stencils_->follow_processes(true);
    ASSERT_TRUE(following) << following.error().text();
  }

  // Records that `pid` has made until now; those of the host's other processes are nobody's business here.
  int records_of(pid_t pid) {
    ring_->drain();
    return records_[pid];
  }

  std::unique_ptr<compile::Stencils> stencils_;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<drain::Ring> ring_;
  std::map<pid_t, int> records_;
  std::map<pid_t, std::set<pid_t>> children_;
};

TEST_F(ProcessRecords, AThousandThreadsThatStartWakeNobody) {
  Program program({"threads", "1000", "10"});
  ASSERT_TRUE(stencils_->watch_children(program.pid(), true));
  const int before = records_of(program.pid());
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 10'000);
  EXPECT_EQ(records_of(program.pid()) - before, 0);
}

TEST_F(ProcessRecords, EachChildOfAWatchedProcessIsToldOnceAndByItsPid) {
  Program program({"forker", "20", "1", "fork"});
  ASSERT_TRUE(stencils_->watch_children(program.pid(), true));
  const int before = records_of(program.pid());
  program.go();
  EXPECT_EQ(program.counts().at("children"), 20);
  EXPECT_EQ(records_of(program.pid()) - before, 20);
  EXPECT_EQ(children_[program.pid()].size(), 20U);
  EXPECT_FALSE(children_[program.pid()].contains(program.pid()));
}

TEST_F(ProcessRecords, ChildrenOfAProcessThatNobodyWatchesWakeNobody) {
  Program program({"forker", "20", "1", "fork"});
  ASSERT_TRUE(stencils_->watch_children(program.pid(), true));
  ASSERT_TRUE(stencils_->watch_children(program.pid(), false));
  const int before = records_of(program.pid());
  program.go();
  EXPECT_EQ(program.counts().at("children"), 20);
  EXPECT_EQ(records_of(program.pid()) - before, 0);
}

TEST_F(ProcessRecords, WhenAllAreWatchedChildrenOfAnyProcessAreTold) {
  Program program({"forker", "5", "1", "fork"});
  ASSERT_TRUE(stencils_->watch_children(0, true));
  const int before = records_of(program.pid());
  program.go();
  EXPECT_EQ(program.counts().at("children"), 5);
  EXPECT_EQ(records_of(program.pid()) - before, 5);
}

TEST_F(ProcessRecords, AnExecutedProgramIsTold) {
  Program program({"threads", "1", "1"});
  EXPECT_GE(records_of(program.pid()), 1);
}

}  // namespace
}  // namespace diagnose::test
