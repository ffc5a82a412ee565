// Arguments and results as a program itself prints them, and as probes see them: equal to the letter, or refused with
// the reason, in every build.
#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>

#include "exactness/exact_program.h"

namespace diagnose::test {
namespace {

using nlohmann::json;

struct Build {
  const char* program;
  const char* needs;
  bool optimised;
  std::size_t least;  // expressions that are to be had in it
};
std::ostream& operator<<(std::ostream& out, const Build& build) {
  return out << build.program;
}

class Exactness : public ::testing::TestWithParam<Build> {
 protected:
  static void SetUpTestSuite() { daemon_ = std::make_unique<Daemon>(); }
  static void TearDownTestSuite() { daemon_.reset(); }

  static std::unique_ptr<Daemon> daemon_;
};
std::unique_ptr<Daemon> Exactness::daemon_;

void expect_reason(const Watch& watch, const Build& build) {
  const Expression& expression = watch.expressions.front();
  const std::string where = watch.event + " of " + watch.function + ": " + expression.text + ": " + watch.error;
  std::vector<std::string> reasons;
  if (expression.out_of_reach) reasons = {"xmm", "virtual base"};
  if (expression.removable && build.optimised) {
    reasons.insert(reasons.end(), {"optimised away", "is not there yet at the call", "what it was at the call",
                                   "may have changed or dropped the result", "compilers differ in where"});
  }
  // Rust's convention is nobody's promise, and LLVM drops parameters of functions that only one crate calls.
  if (std::string_view(build.program).starts_with("exact_rust")) {
    reasons.insert(reasons.end(), {"the calling convention in", "where Rust passes it is not known"});
  }
  const bool told = std::any_of(reasons.begin(), reasons.end(), [&](const std::string& reason) {
    return watch.error.find(reason) != std::string::npos;
  });
  if (!told) ADD_FAILURE() << where;
}

// Messages by probe.
std::map<std::string, std::vector<std::string>> records(Process& events, std::size_t count) {
  std::map<std::string, std::vector<std::string>> all;
  for (std::size_t i = 0; i < count; ++i) {
    try {
      const json record = json::parse(events.line(20s));
      all[record.at("probe")].push_back(record.value("message", ""));
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << "record " << i << " of " << count << ": " << error.what();
      break;
    }
  }
  return all;
}

void expect_equal(const Watch& watch, const std::vector<std::string>& printed, const std::vector<std::string>& seen) {
  if (printed == seen) return;
  std::string expressions;
  for (const Expression& expression : watch.expressions) expressions += " " + expression.text;
  std::string text = fmt::format("{} of {}:{}: {} printed, {} seen", watch.event, watch.function, expressions,
                                 printed.size(), seen.size());
  for (std::size_t i = 0; i < std::max(printed.size(), seen.size()) && text.size() < 2000; ++i) {
    const std::string is = i < printed.size() ? printed[i] : "(nothing)";
    const std::string was = i < seen.size() ? seen[i] : "(nothing)";
    if (is != was) text += "\n  printed " + is + "\n  seen    " + was;
  }
  ADD_FAILURE() << text;
}

TEST_P(Exactness, ArgumentsAndResultsAreWhatTheProgramItselfPrintsOrAreRefusedWithTheReason) {
  const Build& build = GetParam();
  ASSERT_TRUE(std::filesystem::exists(program_path(build.program))) << "needs Debian's " << build.needs;
  const auto functions = functions_of(build.program);
  Process events = daemon_->client({"events", "--json"});
  Program program({build.program, "8"});
  const std::vector<Watch> watches = watch(*daemon_, program.pid(), functions);
  program.go();
  const Ended ended = program.finish();
  ASSERT_EQ(ended.status, 0) << ended.err;
  auto lines = printed_lines(ended.out);

  std::size_t count = 0;
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (const Watch& watch : watches) {
    if (!watch.error.empty()) {
      ++refused;
      expect_reason(watch, build);
      continue;
    }
    for (const Expression& expression : watch.expressions) {
      const bool possible = !expression.out_of_reach || expression.removable;
      EXPECT_TRUE(possible) << watch.function << ": " << expression.text << " is not to be had, and was not refused";
    }
    accepted += watch.expressions.size();
    count += lines[{watch.event, watch.function}].size();
  }
  auto seen = records(events, count);
  for (const Watch& watch : watches) {
    if (watch.error.empty()) {
      expect_equal(watch, expected(watch, lines[{watch.event, watch.function}]), seen[watch.id]);
    }
  }
  std::cout << build.program << ": " << accepted << " expressions equal in " << count << " records, " << refused
            << " refused\n";
  EXPECT_GE(accepted, build.least);
  EXPECT_EQ(daemon_->metrics().sum("diagnose_events_lost_total"), 0);
  EXPECT_EQ(daemon_->ctl({"detach", "--all"}).status, 0);
}

const Build builds[] = {
    {"exact_gcc_O0", "g++", false, 688},          {"exact_gcc_O2", "g++", true, 676},
    {"exact_gcc_lto", "g++", true, 676},          {"exact_gcc_dwarf4", "g++", true, 676},
    {"exact_gcc_debuglink", "g++", true, 676},    {"exact_clang_O0", "clang", false, 688},
    {"exact_clang_O2", "clang", true, 673},       {"exact_libcxx_O0", "libc++-dev", false, 688},
    {"exact_libcxx_O2", "libc++-dev", true, 673}, {"exact_rust_O0", "rustc", false, 139},
    {"exact_rust_O2", "rustc", true, 107},        {"exact_go_O0", "golang-go", false, 168},
    {"exact_go", "golang-go", true, 168},
};
INSTANTIATE_TEST_SUITE_P(Builds, Exactness, ::testing::ValuesIn(builds),
                         [](const auto& build) { return std::string(build.param.program + sizeof("exact")); });

}  // namespace
}  // namespace diagnose::test
