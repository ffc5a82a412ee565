#include "base/log.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace diagnose {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;

std::string written(const std::function<void()>& work) {
  ::testing::internal::CaptureStderr();
  work();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, ALineStaysOneLineWithoutEscapes) {
  EXPECT_THAT(written([] { Log().error("f\n<0>forged\x1b[31m\x7f"); }),
              MatchesRegex("[0-9T:.-]+ error f\\\\x0a<0>forged\\\\x1b\\[31m\\\\x7f\n"));
  EXPECT_EQ(written([] { Log(Level::info, true).error("a\nb"); }), "<3>a\\x0ab\n");
}

TEST(Log, ALineBelowTheLevelIsNotWritten) {
  EXPECT_EQ(written([] { Log(Level::warning).info("quiet"); }), "");
  EXPECT_THAT(written([] { Log(Level::warning).warning("loud {}"); }), EndsWith(" loud {}\n"));
}

TEST(Log, ARecordIsWrittenAsItIsWhateverTheLevel) {
  const std::string record = R"({"probe":"p","text":"a\nb {}"})";
  EXPECT_EQ(written([&] { Log(Level::error).record(record); }), record + "\n");
  EXPECT_EQ(written([&] { Log(Level::error, true).record(record); }), "<6>" + record + "\n");
}

}  // namespace
}  // namespace diagnose
