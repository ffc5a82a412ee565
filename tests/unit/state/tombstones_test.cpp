#include "state/tombstones.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <unistd.h>

namespace diagnose::state {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class TombstonesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "diagnose-tombstones-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Result<Tombstones> opened = Tombstones::open(directory_);
    ASSERT_TRUE(opened) << opened.error().text();
    tombstones_.emplace(std::move(*opened));
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path directory_;
  std::optional<Tombstones> tombstones_;
};

TEST_F(TombstonesTest, AMarkStandsAsLongAsItLives) {
  {
    const Result<Mark> mark = tombstones_->raise("work.a-b");
    ASSERT_TRUE(mark) << mark.error().text();
    EXPECT_THAT(tombstones_->standing(), ElementsAre("work.a-b"));
    EXPECT_TRUE(fs::exists(directory_ / "work.a-b.attaching"));
  }
  EXPECT_THAT(tombstones_->standing(), IsEmpty());
}

TEST_F(TombstonesTest, AMarkThatWasMovedStandsOnce) {
  Result<Mark> first = tombstones_->raise("work");
  ASSERT_TRUE(first);
  {
    const Mark second = std::move(*first);
    EXPECT_THAT(tombstones_->standing(), ElementsAre("work"));
  }
  EXPECT_THAT(tombstones_->standing(), IsEmpty());
}

TEST_F(TombstonesTest, WhatADeadDaemonLeftStandsUntilItIsCleared) {
  std::ofstream(directory_ / "dead.attaching").close();
  EXPECT_THAT(tombstones_->standing(), ElementsAre("dead"));
  tombstones_->clear("dead");
  EXPECT_THAT(tombstones_->standing(), IsEmpty());
  tombstones_->clear("dead");  // again: nothing
}

TEST_F(TombstonesTest, TryingAgainUnderAnOldOneTakesItAway) {
  std::ofstream(directory_ / "dead.attaching").close();
  { const Result<Mark> mark = tombstones_->raise("dead"); }
  EXPECT_THAT(tombstones_->standing(), IsEmpty());
}

TEST_F(TombstonesTest, FilesOfOtherNamesAreNone) {
  for (const char* name : {"work.json", ".attaching", "UPPER.attaching", "work.attaching.json"}) {
    std::ofstream(directory_ / name).close();
  }
  EXPECT_THAT(tombstones_->standing(), IsEmpty());
}

TEST_F(TombstonesTest, WhatIsNoIdNeverBecomesAFileName) {
  EXPECT_FALSE(tombstones_->raise("../work"));
  EXPECT_FALSE(tombstones_->raise(""));
  std::ofstream(directory_ / "work.json").close();
  tombstones_->clear("../x/work");
  EXPECT_TRUE(fs::exists(directory_ / "work.json"));
}

TEST_F(TombstonesTest, ADirectoryThatIsGoneIsAnErrorOfTheMark) {
  fs::remove_all(directory_);
  const Result<Mark> mark = tombstones_->raise("work");
  ASSERT_FALSE(mark);
  EXPECT_THAT(mark.error().text(), ::testing::HasSubstr("work.attaching"));
}

}  // namespace
}  // namespace diagnose::state
