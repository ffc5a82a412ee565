// What names and code can be: ways out, cold parts, data among the code, clones, ifuncs, libraries, code written at run
// time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/differential.h"
#include "e2e/spec_text.h"

namespace diagnose::test {
namespace {

using ::testing::HasSubstr;

TEST(HazardCode, AFunctionThatLeavesByAJumpHalfOfTheTimeAndAColdPartThatReturnsReturnAsOftenAsTheyAreCalled) {
  const Ended symbols = run({"nm", program_path("parts")});
  ASSERT_THAT(symbols.out, HasSubstr(" split.cold")) << "the compiler made no cold part: the test tests nothing";
  expect_the_same_under_every_probe(
      {.command = {"parts", "300"}, .functions = {"half", "other", "split"}, .trampoline_is_safe = true});
}

TEST(HazardCode, ATableAmongTheCodeKeepsItsBytes) {
  expect_the_same_under_every_probe({.command = {"table", "320"}, .functions = {"beside"}, .trampoline_is_safe = true});
}

TEST(HazardCode, APatternThatMatchesATableAndASymbolOfNoSizeProbesTheFunctionAlone) {
  Program program({"table", "320"});
  const Daemon daemon;
  const auto attached = daemon.json({"attach", "--pid", std::to_string(program.pid()), "re:^beside", "--type",
                                     "counter", "--name", "besides", "--id", "beside"});
  ASSERT_EQ(attached.at("sites").size(), 1U) << attached;
  EXPECT_EQ(attached.at("sites").at(0).at("function"), "beside") << attached;
  program.go();
  EXPECT_EQ(program.counts().at("beside.calls"), 320);
  EXPECT_EQ(daemon.metrics().value("besides_total").value_or(-1), 320);
}

TEST(HazardCode, WhatIsNoFunctionOrMustNotBeProbedIsRefusedByName) {
  const Daemon daemon;
  for (const char* function : {"not_code", "size_zero", "starts_with_syscall", "beside_table", "beside_nothing"}) {
    const char* program = std::string(function).starts_with("beside") ? "table" : "tails";
    const Ended ended = daemon.ctl(
        {"attach", "--exe", program_path(program), function, "--type", "counter", "--name", "x", "--id", "refused"});
    EXPECT_EQ(ended.status, 1) << function << ended.out;
    EXPECT_THAT(ended.err, HasSubstr(function));
    EXPECT_EQ(daemon.state_of("refused"), "") << function;
  }
}

// Link addresses of all instructions of `path`, as objdump reads them.
std::set<std::string> instructions_of(const std::string& path) {
  const Ended ended = run({"objdump", "-d", "--no-show-raw-insn", path});
  std::set<std::string> addresses;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(' ') || colon == std::string::npos) continue;
    addresses.insert("0x" + line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' ')));
  }
  return addresses;
}

TEST(HazardCode, EverySiteStandsOnAnInstructionThatObjdumpSeesToo) {
  const Program program({"unwinding", "1"});
  const Daemon daemon;
  const std::vector<std::pair<std::string, std::string>> places = {
      {"re:^(first|second|third|rethrows|catches|sweeps|swept|main)$", ""},
      {"re:^(q|b|a)[a-z]*$", "libc.so.6"},
      {"std::*", "libstdc++.so.6"}};
  std::map<std::string, std::set<std::string>> known;
  std::size_t sites = 0;
  for (const auto& [functions, module] : places) {
    SCOPED_TRACE(functions);
    nlohmann::json target = {{"pid", program.pid()}, {"function", functions}};
    if (!module.empty()) target["module"] = module;
    const nlohmann::json probe = {{"target", target},
                                  {"instrument", {{"type", "histogram"}, {"name", "times"}, {"value", "elapsed"}}}};
    const std::string file = daemon.folder()->file("sites.yaml");
    write_file(file, nlohmann::json{{"probes", {{"sites", probe}}}}.dump());
    daemon.ctl({"apply", file});
    const auto status = daemon.json({"status", "sites"});
    for (const auto& site : status.at("sites")) {
      const auto path = site.at("module").get<std::string>();
      if (!known.contains(path)) known[path] = instructions_of(path);
      EXPECT_TRUE(known[path].contains(site.at("address").get<std::string>())) << site;
      ++sites;
    }
  }
  EXPECT_GT(sites, 100U) << "too few to say anything";
}

const std::vector<std::string> names = {"aliased", "re:^folded_", "special", "of_struct", "in_parts"};

TEST(HazardCode, AliasesAndClonesBelongToTheirFunctionAndEachCallIsCountedOnce) {
  const Ended symbols = run({"nm", program_path("names")});
  for (const char* clone : {" special.constprop", " of_struct.isra", " in_parts.part"}) {
    ASSERT_THAT(symbols.out, HasSubstr(clone)) << "the compiler made no such clone: the test tests nothing";
  }
  expect_the_same_under_every_probe({.command = {"names", "200"}, .functions = names, .trampoline_is_safe = true});
}

TEST(HazardCode, AnAliasIsItsFunctionUnderEitherName) {
  Program program({"names", "200"});
  const Daemon daemon;
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "other_name", "--type", "counter", "--name", "other",
               "--id", "other"});
  daemon.json({"attach", "--pid", std::to_string(program.pid()), "re:^(aliased|other_name)$", "--type", "counter",
               "--name", "both", "--id", "both"});
  program.go();
  const auto calls = static_cast<double>(program.counts().at("aliased.calls"));
  EXPECT_EQ(daemon.metrics().value("other_total").value_or(-1), calls);
  EXPECT_EQ(daemon.metrics().value("both_total").value_or(-1), calls);
}

TEST(HazardCode, FunctionsThatTheLinkerFoldedAreOneSiteWithBothNames) {
  const Ended symbols = run({"nm", program_path("names_folded")});
  ASSERT_EQ(symbols.status, 0) << "needs ld.gold: " << symbols.err;
  const auto address_of = [&](const std::string& name) {
    const std::size_t at_name = symbols.out.find(" T " + name + "\n");
    return at_name == std::string::npos ? name : symbols.out.substr(at_name - 16, 16);
  };
  ASSERT_EQ(address_of("folded_one"), address_of("folded_two")) << "the linker folded nothing";
  expect_the_same_under_every_probe(
      {.command = {"names_folded", "200"}, .functions = names, .trampoline_is_safe = true});
}

// Either the function that the ifunc stands for is probed, or it is refused; never the resolver.
TEST(HazardCode, AnIfuncIsResolvedOrRefusedAndNeverItsResolver) {
  Program program({"names", "200"});
  const Daemon daemon;
  const Ended ended = daemon.ctl({"attach", "--pid", std::to_string(program.pid()), "by_ifunc", "--type", "counter",
                                  "--name", "chosen", "--id", "chosen"});
  program.go();
  const auto counts = program.counts();
  if (ended.status == 0) {
    EXPECT_EQ(daemon.metrics().value("chosen_total").value_or(-1), static_cast<double>(counts.at("chosen.calls")));
  } else {
    EXPECT_THAT(ended.err, HasSubstr("ifunc"));
  }
}

TEST(HazardCode, AFunctionInlinedAtTwoSitesIsCountedAtTheThirdWhereItIsCalled) {
  expect_the_same_under_every_probe(
      {.command = {"inlined", "200"}, .functions = {"often_inlined"}, .trampoline_is_safe = true, .copies = false});
}

TEST(HazardCode, AFunctionOfALibraryIsCountedWhoeverCallsItThroughItsPlt) {
  expect_the_same_under_every_probe(
      {.command = {"plugins", "200"}, .functions = {"provided"}, .module = "libprovided.so", .hidden_callers = 2});
}

TEST(HazardCode, AFunctionCalledFromCodeThatWasWrittenAtRunTimeIsCounted) {
  expect_the_same_under_every_probe({.command = {"jit", "200"}, .functions = {"helper"}, .hidden_callers = 200});
}

}  // namespace
}  // namespace diagnose::test
