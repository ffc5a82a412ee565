// Globals of other modules: `libx.so!name`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using ::testing::HasSubstr;

double total(const Daemon& daemon, const std::string& name, const Labels& labels = {}) {
  return daemon.metrics().value(name + "_total", labels).value_or(-1);
}

std::string of_step(const std::string& id, pid_t pid, const std::string& instrument) {
  return probe_text(id, at(pid, "step"), instrument);
}

// `shelf::state` is the program's copy (R_X86_64_COPY), `shelf::puts_done` the library's own.
TEST(Modules, AProgramAndItsLibraryAreAskedForEachOthersGlobals) {
  Program program({"uses_shelf", "500"});
  const Daemon daemon(
      {.specs = {{"shelf.yaml",
                  "probes:\n" +
                      of_step("books", program.pid(),
                              "type: counter, name: books, value: libshelf.so!shelf::state.books, "
                              "labels: {shelf: str(libshelf.so!shelf::state.name)}") +
                      of_step("marks", program.pid(),
                              "type: counter, name: marks, value: \"\\\"lib*shelf.so\\\"!shelf::state.marks[1]\"") +
                      of_step("own", program.pid(), "type: counter, name: own, value: uses_shelf!steps_taken") +
                      of_step("returns", program.pid(),
                              "type: counter, name: returns, event: return, value: libshelf.so!shelf::state.books") +
                      of_step("puts", program.pid(), "type: counter, name: puts, value: libshelf.so!shelf::puts_done") +
                      probe_text("inside", at(program.pid(), "shelf_put") + ", module: libshelf.so",
                                 "type: counter, name: inside, value: libshelf.so!shelf::state.books") +
                      probe_text("steps", at(program.pid(), "shelf_put") + ", module: libshelf.so",
                                 "type: counter, name: steps, value: uses_shelf!steps_taken")}}});
  for (const char* id : {"books", "marks", "own", "returns", "puts", "inside", "steps"}) {
    ASSERT_TRUE(eventually([&] { return daemon.state_of(id) == "armed"; })) << daemon.ctl({"status", id}).out;
  }
  program.go();
  const auto counts = program.counts();
  const auto expected = [&](const char* name) { return static_cast<double>(counts.at(name)); };
  EXPECT_TRUE(eventually([&] { return total(daemon, "steps") == expected("steps"); })) << total(daemon, "steps");
  EXPECT_EQ(daemon.metrics().sum("books_total"), expected("books"));
  EXPECT_GT(total(daemon, "books", {{"shelf", "upper"}}), 0);
  EXPECT_GT(total(daemon, "books", {{"shelf", "lower"}}), 0);
  EXPECT_EQ(total(daemon, "marks"), expected("marks"));
  EXPECT_EQ(total(daemon, "returns"), expected("books"));
  EXPECT_EQ(total(daemon, "inside"), expected("books"));
  EXPECT_EQ(total(daemon, "puts"), expected("calls") * (expected("calls") - 1) / 2);
  EXPECT_EQ(total(daemon, "own"), expected("steps") - expected("calls"));
  EXPECT_EQ(daemon.metrics().sum("diagnose_events_lost_total"), 0);
}

// The next program's memory lies elsewhere: what would be read there is no global.
TEST(Modules, AfterAnExecTheyAreUnreadableAndCountedAsThat) {
  Program program({"uses_shelf", "300", "again"});
  const Daemon daemon({.specs = {{"shelf.yaml", spec_text("books", at(program.pid(), "step"),
                                                          "type: counter, name: books, value: "
                                                          "libshelf.so!shelf::state.books")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("books") == "armed"; }));
  program.go();
  const auto counts = program.counts();
  EXPECT_TRUE(eventually([&] { return daemon.state_of("books") == "expired"; }));
  EXPECT_EQ(total(daemon, "books"), static_cast<double>(counts.at("books")));
  const double hits = daemon.metrics().value("diagnose_probe_hits_total", {{"probe", "books"}}).value_or(-1);
  const double lost = daemon.metrics().sum("diagnose_events_lost_total", {{"probe", "books"}});
  EXPECT_EQ(hits, static_cast<double>(counts.at("calls")) + lost);
  EXPECT_EQ(lost, static_cast<double>(counts.at("again_calls")));
}

TEST(Modules, WhatCannotBeHadIsRefusedWithTheReason) {
  Program program({"uses_shelf", "1"});
  const Daemon daemon;
  const auto refusal = [&](const Command& target, const std::string& value) {
    Command command = {"attach"};
    command.insert(command.end(), target.begin(), target.end());
    command.insert(command.end(), {"step", "--type", "counter", "--name", "n", "--value", value});
    const Ended ended = daemon.ctl(command);
    EXPECT_EQ(ended.status, 1) << ended.out;
    return ended.err;
  };
  const Command pid = {"--pid", std::to_string(program.pid())};
  const Command exe = {"--exe", program_path("uses_shelf")};
  EXPECT_THAT(refusal(pid, "libshell.so!shelf::state.books"), HasSubstr("the process maps no `libshell.so`"));
  EXPECT_THAT(refusal(pid, "libshelf.so!shelf::nothing"), HasSubstr("none of that name"));
  EXPECT_THAT(refusal(pid, "\"lib*\"!shelf::state.books"), HasSubstr("several modules of the process have that name"));
  EXPECT_THAT(refusal(exe, "libshelf.so!shelf::state.books"), HasSubstr("a place of its own in every process"));
  // A probe's own module is in the same place for it everywhere.
  const Ended own = daemon.ctl({"attach", "--exe", program_path("uses_shelf"), "step", "--type", "counter", "--name",
                                "own", "--value", "uses_shelf!steps_taken"});
  EXPECT_EQ(own.status, 0) << own.err;
}

}  // namespace
}  // namespace diagnose::test
