#include "cli/complete.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"

namespace diagnose::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

Offer offered(const std::string& line) {
  return offer(verb_shapes(), split_line(line));
}

TEST(SplitLine, WordsAreThoseOfAShell) {
  EXPECT_THAT(split_line("diagnosectl attach --where 'a > 1' \"b \\\" c\" d\\ e").words,
              ElementsAre("diagnosectl", "attach", "--where", "a > 1", "b \" c", "d e"));
}

TEST(SplitLine, TheLastWordMayBeEmpty) {
  EXPECT_THAT(split_line("diagnosectl ").words, ElementsAre("diagnosectl", ""));
  EXPECT_THAT(split_line("").words, ElementsAre(""));
}

TEST(SplitLine, AnOpenQuoteIsKnown) {
  const Line line = split_line("diagnosectl attach 'shop::Ca");
  EXPECT_THAT(line.words.back(), "shop::Ca");
  EXPECT_EQ(line.last_written, "'shop::Ca");
  EXPECT_TRUE(line.in_quotes);
  EXPECT_FALSE(split_line("diagnosectl 'a' b").in_quotes);
}

TEST(Offer, VerbsComeFirst) {
  EXPECT_THAT(offered("diagnosectl ").words, Contains("attach"));
  EXPECT_THAT(offered("diagnosectl ").words, Contains("functions"));
  EXPECT_THAT(offered("diagnosectl at").words, Contains("attach"));
  EXPECT_THAT(offered("diagnosectl --json ").words, Contains("list"));
  EXPECT_THAT(offered("diagnosectl --socket /s ").words, Contains("list"));
  EXPECT_THAT(offered("diagnosectl ").words, Not(Contains("complete"))) << "only scripts ask that";
}

TEST(Offer, AnOptionIsOneOfTheVerbs) {
  EXPECT_THAT(offered("diagnosectl attach --pid 1 --w").words, Contains("--where"));
  EXPECT_THAT(offered("diagnosectl renew -").words, Contains("--lifespan"));
  EXPECT_THAT(offered("diagnosectl renew -").words, Not(Contains("--where")));
}

TEST(Offer, AnOptionsValueIsOneOfThoseItTakes) {
  EXPECT_THAT(offered("diagnosectl attach --type ").words, Contains("histogram"));
  const Offer equals = offered("diagnosectl attach --return=ca");
  EXPECT_THAT(equals.words, Contains("callers"));
  EXPECT_EQ(equals.head, "--return=");
  EXPECT_EQ(offered("diagnosectl attach --pid ").ask, Offer::Ask::pids);
  EXPECT_EQ(offered("diagnosectl attach --exe ").ask, Offer::Ask::files);
  EXPECT_THAT(offered("diagnosectl attach --where ").words, IsEmpty());
  EXPECT_EQ(offered("diagnosectl attach --where ").ask, Offer::Ask::nothing);
}

TEST(Offer, AFunctionIsAskedOfTheProcessesOfTheLine) {
  const Offer found = offered("diagnosectl attach --type counter --pid 12 shop::Ca");
  EXPECT_EQ(found.ask, Offer::Ask::functions);
  EXPECT_THAT(found.arguments.pids, ElementsAre(12));
  EXPECT_EQ(found.arguments.function, "shop::Ca*");
  EXPECT_THAT(offered("diagnosectl attach --pid=12,13 f").arguments.pids, ElementsAre(12, 13));
  EXPECT_EQ(offered("diagnosectl functions --comm shop --module libc.so.6 ").arguments.module, "libc.so.6");
  EXPECT_EQ(offered("diagnosectl attach --pid 1 operator[").arguments.function, "operator\\[*");
  EXPECT_EQ(offered("diagnosectl attach --socket /s --pid 1 f").socket, "/s");
}

TEST(Offer, AModuleInFrontOfAFunctionStays) {
  const Offer found = offered("diagnosectl attach /usr/bin/shop:shop::Ca");
  EXPECT_EQ(found.ask, Offer::Ask::functions);
  EXPECT_EQ(found.head, "/usr/bin/shop:");
  EXPECT_EQ(found.arguments.function, "/usr/bin/shop:shop::Ca*");
  EXPECT_EQ(offered("diagnosectl attach /usr/bin/shop:").head, "/usr/bin/shop:");
}

TEST(Offer, WithoutProcessesAFileMayFollow) {
  EXPECT_EQ(offered("diagnosectl attach /usr/b").ask, Offer::Ask::files);
  EXPECT_EQ(offered("diagnosectl check ").ask, Offer::Ask::files);
}

TEST(Offer, IdsOfProbesAreAskedFor) {
  for (const char* verb : {"detach", "status", "renew", "events"}) {
    EXPECT_EQ(offered(std::string("diagnosectl ") + verb + " ").ask, Offer::Ask::probes) << verb;
  }
}

TEST(Candidate, BashGetsThePartBehindItsWordBreaksWithBackslashes) {
  const auto of = [](const std::string& line, const std::string& word) {
    return candidate("bash", split_line(line), word);
  };
  EXPECT_EQ(of("d attach shop::Ca", "shop::Cart::checkout"), "Cart::checkout");
  EXPECT_EQ(of("d attach --type=hi", "--type=histogram"), "histogram");
  EXPECT_EQ(of("d attach f", "f<int>"), "f\\<int\\>");
  EXPECT_EQ(of("d attach 'shop::Ca", "shop::Cart<int>"), "shop::Cart<int>");
  EXPECT_EQ(candidate("zsh", split_line("d attach shop::Ca"), "shop::Cart<int>"), "shop::Cart<int>");
}

}  // namespace
}  // namespace diagnose::cli
