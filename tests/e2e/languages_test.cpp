// Programs in Rust and Go, as Debian's compilers make them.
#include <gtest/gtest.h>

#include "e2e/differential.h"
#include "e2e/spec_text.h"

namespace diagnose::test {
namespace {

TEST(Rust, PanicsThroughProbedFramesAreCaughtAndEveryInstanceOfAGenericFunctionIsCounted) {
  ASSERT_TRUE(std::filesystem::exists(program_path("rust_panics"))) << "needs Debian's rustc";
  expect_the_same_under_every_probe({.command = {"rust_panics", "70"},
                                     .functions = {"rust_panics::panics", "rust_panics::between", "foreign",
                                                   "rust_panics::generic", "rust_panics::swept"}});
}

const Subject goroutines = {.command = {"goroutines", "20", "20"},
                            .functions = {"main.work", "main.yields", "main.deep", "main.panics"}};

TEST(Go, CallsAreCountedWhileStacksGrowAndMove) {
  ASSERT_TRUE(std::filesystem::exists(program_path("goroutines"))) << "needs Debian's golang-go";
  const Ended without = without_probes(goroutines);
  Daemon daemon;
  for (const char* strategy : {"auto", "sites"}) {
    for (const Measure measure : {Measure::calls, Measure::times}) {
      expect_the_same(daemon, goroutines, without, strategy, measure);
    }
  }
}

TEST(Go, ATrampolineIsNeverGivenHoweverTheUserInsists) {
  Program program({"goroutines", "2", "2"});
  const Daemon daemon;
  const std::string file = daemon.folder()->file("go.yaml");
  write_file(file,
             nlohmann::json{
                 {"probes",
                  {{"go", differential_probe(goroutines, "main.work", "trampoline", Measure::times, program.pid())}}}}
                 .dump());
  daemon.ctl({"apply", file});
  const auto status = daemon.json({"status", "go"});
  EXPECT_NE(status.at("return").at("strategy"), "trampoline") << status;
  program.go();
  EXPECT_EQ(program.finish().status, 0);
}

}  // namespace
}  // namespace diagnose::test
