// The words of expressions, through the binaries, against what a program is known to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;

std::string split(const std::string& name) {
  return TEST_BINARY_DIR "/tests/programs/split/" + name;
}

// What is logged of the first call of take(item, 0) in `program`.
std::string said(const std::string& program, const std::string& message, Command more = {"--event", "call"}) {
  Program running({program, "3"});
  const Daemon daemon;
  Command command = {
      "attach",   "--pid", std::to_string(running.pid()), "take", "--type", "log", "--message", message, "--id", "said",
      "--follow", "--json"};
  command.insert(command.end(), more.begin(), more.end());
  Process follower = daemon.client(command);
  if (!eventually([&] { return daemon.state_of("said") == "armed" || !follower.running(); }) || !follower.running()) {
    throw std::runtime_error(message + ": " + follower.finish().err);
  }
  running.go();
  return json::parse(follower.line()).at("message");
}

TEST(Words, OfTheProcess) {
  const std::string uid = std::to_string(::getuid());
  EXPECT_EQ(said(split("split_g5"),
                 "{exe} {comm} {uid} {exe == \"split_g5\"} {exe != \"split_g5\"} {startswith(exe, \"split\")} "
                 "{pid == tid} {cpu < 4096} {cgroup > 0}"),
            "split_g5 split_g5 " + uid + " true false true true true true");
}

TEST(Words, ThatComputeNumbers) {
  EXPECT_EQ(said(split("split_g5"),
                 "{hex(255 + more)} {mag(1234 + more)} {mag(10 + more, 2)} {mag(10 + more, base=2)} {abs(more - 5)} "
                 "{min(more, 3)} {max(more, 3)} {sizeof(long)} {sizeof(Item)} {len(item->name)}"),
            "0xff 1000 8 8 5 0 3 8 16 5");
  EXPECT_EQ(said(split("split_g5"),
                 "{(more - 7) / 2} {(more - 7) % 4} {(more + 1) << 4} {~more} {!more} {(u8)(more - 1)} "
                 "{10 / more == null} {item->name[1]} {*item->name == 'a'} {more ^ 5} {(more | 6) & 3}"),
            "-3 -3 16 -1 true 255 true 112 true 5 2");
}

TEST(Words, OfATextAsManyCharactersAsAreAskedFor) {
  EXPECT_EQ(
      said(split("split_g5"),
           "{str(item->name, 1)} {str(item->name, 2)} {str(item->name, 4)} {str(item->name, 5)} {str(item->name, 8)} "
           "{str(item->name, 2) == \"ap\"} {str(item->name, 2) == \"app\"} {startswith(str(item->name, 3), \"app\")}"),
      "a ap appl apple apple true false true");
}

TEST(Words, ATextIsChosenByACondition) {
  EXPECT_EQ(said(split("split_g5"),
                 "{more == 0 ? \"first\" : \"later\"} {more > 0 ? \"a much longer text than the other\" : \"no\"} "
                 "{more == 0 ? item->name : \"none\"} {more == 1 ? item->name : \"none\"} "
                 "{(more == 0 ? \"x\" : \"y\") == \"x\"} {more == 0 ? item->name : null}"),
            "first no apple none true apple");
}

TEST(Words, AChosenTextIsALabelOfACounter) {
  Program running({split("split_clang5"), "5"});
  const Daemon daemon(
      {.specs = {{"words.yaml", spec_text("words", at(running.pid(), "take"),
                                          counter("words") + ", labels: {when: 'more == 0 ? \"first\" : "
                                                             "\"later\"', exe: exe}")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("words") == "armed"; })) << daemon.ctl({"status", "words"}).out;
  running.go();
  EXPECT_EQ(running.counts().at("calls"), 5);
  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(metrics.sum("words_total", {{"when", "first"}, {"exe", "split_clang5"}}), 1);
  EXPECT_EQ(metrics.sum("words_total", {{"when", "later"}, {"exe", "split_clang5"}}), 4);
  EXPECT_EQ(metrics.sum("diagnose_events_lost_total", {{"probe", "words"}}), 0);
}

TEST(Words, AtTheEndOfACall) {
  EXPECT_EQ(said(split("split_g5"),
                 "{result} {elapsed > 0 ? \"some\" : \"none\"} {start < now} {exe} {more} {error ? \"bad\" : \"good\"}",
                 {"--event", "return"}),
            "100 some true split_g5 0 good");
}

TEST(InlinedCopies, ThatAreNotCountedAreTold) {
  const Program program({"inlined", "1"});
  const Daemon daemon;
  const Command wanted = {"explain", "--pid", std::to_string(program.pid()), "often_inlined", "--name", "times"};
  Command times = wanted;
  times.insert(times.end(), {"--type", "histogram", "--value", "elapsed"});
  const auto told = Contains(HasSubstr("2 inlined copies are not counted"));
  EXPECT_THAT(daemon.json(times).at("note").get<std::vector<std::string>>(), told);
  Command arguments = wanted;
  arguments.insert(arguments.end(), {"--type", "counter", "--where", "i >= 0"});
  EXPECT_THAT(daemon.json(arguments).at("note").get<std::vector<std::string>>(), told);
}

}  // namespace
}  // namespace diagnose::test
