// Many breakpoints go at once.
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

TEST(Detach, SixtyProbesOfAThousandFunctionsEndTogetherAndOneThatStaysMissesNothing) {
  Program program({"many"});
  const Daemon daemon;
  const std::string target = fmt::format("pid: {}, function: \"re:^many_0[0-9]{{3}}$\"", program.pid());
  daemon.write_spec("all.yaml", spec_text("all", target, counter("all")));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("all") == "armed"; })) << daemon.state_of("all");
  // Sixty more on the same functions, so that there is something to take away for a while.
  const auto short_probes = [&](const std::string& lifespan) {
    std::string text = "probes:\n";
    for (int number = 0; number < 60; ++number) {
      text += probe_text(fmt::format("short-{}", number), target, counter(fmt::format("short_{}", number)), lifespan);
    }
    return text;
  };
  daemon.write_spec("short.yaml", short_probes("1h"));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("short-59") == "armed"; }, 120s)) << daemon.state_of("short-59");
  ASSERT_GE(links_of(daemon.pid()).size(), 61U);
  daemon.write_spec("short.yaml", short_probes("1s"));
  ASSERT_TRUE(eventually([&] { return daemon.state_of("short-59") == "expired"; }, 60s)) << daemon.state_of("short-59");
  ASSERT_TRUE(eventually([&] { return links_of(daemon.pid()).size() == 1; }, 120s));
  EXPECT_EQ(daemon.state_of("all"), "armed");
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(daemon.metrics().value("all_total").value_or(-1), 1000);
}

// They are on their way out when they are asked for.
TEST(Detach, WaitsForProbesWhoseProcessHasJustEnded) {
  Program program({"many"});
  const Daemon daemon;
  std::string text = "probes:\n";
  for (int number = 0; number < 40; ++number) {
    const std::string target = fmt::format("pid: {}, function: many_{:04}", program.pid(), number);
    text += probe_text(fmt::format("p{}", number), target, counter(fmt::format("calls_{}", number)));
  }
  const std::string file = daemon.folder()->file("many.yaml");
  write_file(file, text);
  ASSERT_EQ(daemon.ctl({"apply", file}).status, 0);
  const auto links = links_of(daemon.pid());
  ASSERT_GE(links.size(), 40U);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(daemon.ctl({"detach", "--all"}).status, 0);
  EXPECT_EQ(still_there(links), 0U);
}

}  // namespace
}  // namespace diagnose::test
