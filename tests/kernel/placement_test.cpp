// Breakpoints that stand elsewhere than on the first and last instruction count the same calls.
#include <gtest/gtest.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

class Placed : public testing::TestWithParam<const char*> {};

TEST_P(Placed, CountsEveryCallOnceWithItsArgumentAndItsResult) {
  Program program({"placed", "500"});
  Rig rig("target: {" + target_of(program, GetParam()) +
          "}, instruments: [{type: counter, name: calls}, {type: counter, name: returns, event: return}, "
          "{type: counter, name: results, event: return, value: result}, {type: counter, name: args, value: arg0}]");
  rig.attach();
  program.go();
  const auto counts = program.counts();
  EXPECT_EQ(rig.value(0), counts.at("calls"));
  EXPECT_EQ(rig.value(1), counts.at("calls"));
  EXPECT_EQ(rig.value(2), counts.at(GetParam()));
  EXPECT_EQ(rig.value(3), counts.at("calls") * (counts.at("calls") - 1) / 2);
  EXPECT_EQ(rig.lost_in_all(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Functions, Placed,
                         testing::Values("guarded", "one_of_two", "tested", "overwrites", "looped", "prefixed"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace diagnose::test
