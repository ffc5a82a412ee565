// Every way out of a function is an exit: `ret`, jumps to other functions, conditional ones, indirect ones, `.cold`
// parts. Attached by `exe` before the program runs, so that its first call is counted.
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

TEST(Tails, ReturnsEqualCallsWhateverTheWayOut) {
  // What tests/programs/tails.c does in its 100 rounds: half of them reach tail_half through tail_register as well, and
  // tail_self jumps to its own start twice a round.
  const std::map<std::string, double> expected = {{"tail_half", 150},     {"tail_if", 100},   {"tail_self", 300},
                                                  {"tail_register", 100}, {"cold_half", 100}, {"switch_table", 1}};
  std::string text = "probes:\n";
  for (const auto& [function, calls] : expected) {
    text += fmt::format(
        "  {0}:\n    target: {{exe: {1}, function: {0}}}\n    lifespan: 5m\n    instruments:\n"
        "      - {{type: counter, name: calls_{0}}}\n      - {{type: counter, name: returns_{0}, event: return}}\n",
        function, program_path("tails"));
  }
  const Daemon daemon({.specs = {{"tails.yaml", text}}});
  for (const auto& [function, calls] : expected) {
    ASSERT_TRUE(eventually([&] { return daemon.state_of(function) == "armed"; })) << function;
  }
  const Ended without = run({program_path("tails")});
  EXPECT_EQ(without.status, 0);
  const Metrics metrics = daemon.metrics();
  for (const auto& [function, calls] : expected) {
    EXPECT_EQ(metrics.value("calls_" + function + "_total").value_or(-1), calls) << function;
    EXPECT_EQ(metrics.value("returns_" + function + "_total").value_or(-1), calls) << function;
    EXPECT_EQ(metrics.sum("diagnose_events_lost_total", {{"probe", function}}), 0) << function;
  }
}

// A jump to its own start is a call that returns with the one before it, and nobody's error.
TEST(Tails, AFunctionThatEntersItselfInItsOwnFrameReturnsAsOftenByAnyStrategy) {
  const std::vector<std::string> strategies = {"trampoline", "callers", "sites"};
  std::string text = "probes:\n";
  for (const std::string& strategy : strategies) {
    text += fmt::format(
        "  {0}:\n    target: {{exe: {1}, function: tail_self}}\n    return: {0}\n    lifespan: 5m\n    instruments:\n"
        "      - {{type: counter, name: returns_{0}, event: return}}\n"
        "      - {{type: counter, name: errors_{0}, event: error}}\n",
        strategy, program_path("tails"));
  }
  const Daemon daemon({.specs = {{"tails.yaml", text}}});
  for (const std::string& strategy : strategies) {
    ASSERT_TRUE(eventually([&] { return daemon.state_of(strategy) == "armed"; })) << strategy;
  }
  EXPECT_EQ(run({program_path("tails")}).status, 0);
  const Metrics metrics = daemon.metrics();
  for (const std::string& strategy : strategies) {
    EXPECT_EQ(metrics.value("returns_" + strategy + "_total").value_or(-1), 300) << strategy;
    EXPECT_EQ(metrics.value("errors_" + strategy + "_total").value_or(0), 0) << strategy;
    EXPECT_EQ(metrics.sum("diagnose_events_lost_total", {{"probe", strategy}}), 0) << strategy;
  }
}

}  // namespace
}  // namespace diagnose::test
