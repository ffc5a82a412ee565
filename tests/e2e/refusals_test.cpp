// Bad input: each is refused in one clear line, and the daemon lives.
#include <algorithm>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

Ended check(const TemporaryFolder& folder, const std::string& text) {
  write_file(folder.file("spec.yaml"), text);
  return run({binary("diagnosectl"), "check", folder.file("spec.yaml")}, "", 20s);
}

std::string said(const Ended& ended) {
  return ended.out + ended.err;
}

TEST(Check, ThreeFaultsAreThreeReportsEachWithItsPlaceAndAMend) {
  const TemporaryFolder folder;
  const Ended ended = check(folder,
                            "probes:\n"
                            "  wrong:\n"
                            "    target: {pid: 1, function: f, modul: libc.so.6}\n"
                            "    instrument: {type: countre, name: x}\n"
                            "    lifespan: soon\n"
                            "  good:\n"
                            "    target: {pid: 1, function: f}\n"
                            "    instrument: {type: counter, name: y}\n");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(said(ended), ContainsRegex("spec.yaml:3:[0-9]+: .*module"));
  EXPECT_THAT(said(ended), ContainsRegex("spec.yaml:4:[0-9]+: .*counter"));
  EXPECT_THAT(said(ended), ContainsRegex("spec.yaml:5:[0-9]+: .*lifespan"));
  EXPECT_EQ(said(ended).find("spec.yaml:7"), std::string::npos) << said(ended);
}

TEST(Check, AnUnknownKeyIsToldWithTheNearestOne) {
  const TemporaryFolder folder;
  const Ended ended = check(folder, spec_text("x", "pid: 1, function: f", "type: counter, name: x, lable: {a: arg0}"));
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(said(ended), HasSubstr("did you mean `labels`"));
}

TEST(Check, AnExpressionsFaultIsToldWithItsPlace) {
  const TemporaryFolder folder;
  const Ended ended = check(folder, spec_text("x", "pid: 1, function: f", "type: counter, name: x, value: arg0 +"));
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(said(ended), ContainsRegex("spec.yaml:4:[0-9]+: "));
  EXPECT_THAT(said(ended), HasSubstr("\n    instrument: {type: counter, name: x, value: arg0 +}\n"
                                     "                                                      ^\n"));
}

TEST(Check, AGoodFileIsStatus0) {
  const TemporaryFolder folder;
  const Ended ended = check(folder, spec_text("x", "pid: 1, function: f", counter("x")));
  EXPECT_EQ(ended.status, 0) << said(ended);
}

TEST(Check, EveryShippedSpecIsGood) {
  Command command = {binary("diagnosectl"), "check"};
  for (const auto& entry : std::filesystem::directory_iterator(TEST_SOURCE_DIR "/../specs")) {
    if (entry.path().extension() == ".yaml") command.push_back(entry.path());
  }
  ASSERT_GT(command.size(), 2U);
  const Ended ended = run(command);
  EXPECT_EQ(ended.status, 0) << said(ended);
}

TEST(Check, AFileThatIsNotThereIsToldByName) {
  const Ended ended = run({binary("diagnosectl"), "check", "/nowhere/spec.yaml"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(said(ended), HasSubstr("/nowhere/spec.yaml"));
}

// Hostile files, and a word of the refusal.
std::map<std::string, std::pair<std::string, std::string>> hostile_files() {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  bomb += "probes: {bomb: {target: *a11}}\n";
  std::string junk(100'000, '\0');
  std::mt19937 dice(7);
  std::generate(junk.begin(), junk.end(), [&] { return static_cast<char>(dice()); });
  std::string large = "probes:\n";
  while (large.size() < 10U << 20U)
    large += "  # ten megabytes of nothing, a line at a time, that nobody would write by hand\n";
  return {{"bomb.yaml", {bomb, ""}},
          {"junk.yaml", {junk, ""}},
          {"large.yaml", {large, "too large"}},
          {"deep.yaml", {"probes: " + std::string(100'000, '['), ""}},
          {"empty.yaml", {"", "*"}},
          {"scalar.yaml", {"hello\n", ""}},
          {"list.yaml", {"probes: [1, 2]\n", ""}}};
}

TEST(HostileFiles, CheckRefusesEachAndDoesNotHang) {
  const TemporaryFolder folder;
  for (const auto& [name, file] : hostile_files()) {
    const auto& [text, word] = file;
    const Ended ended = check(folder, text);
    if (word == "*") {  // refused or accepted: both can be meant
      EXPECT_LT(ended.status, 2) << name << said(ended);
      continue;
    }
    EXPECT_EQ(ended.status, 1) << name << said(ended);
    EXPECT_THAT(said(ended), HasSubstr(word)) << name;
    EXPECT_THAT(said(ended), HasSubstr("spec.yaml")) << name;
    EXPECT_LT(said(ended).size(), 4000U) << name << " is answered at length";
  }
}

TEST(HostileFiles, TheDaemonLivesAndArmsTheGoodOneBesideThem) {
  const Program program({"threads", "1", "1"});
  DaemonOptions options;
  for (const auto& [name, file] : hostile_files()) options.specs[name] = file.first;
  options.specs["good.yaml"] = spec_text("good", at(program.pid(), "work"), counter("good"));
  Daemon daemon(options);
  EXPECT_TRUE(eventually([&] { return daemon.state_of("good") == "armed"; }));
  EXPECT_EQ(daemon.terminate().status, 0);
}

class Refusals : public ::testing::Test {
 protected:
  // Attaches a counter and expects a refusal; its words.
  std::string refusal(const Command& target) {
    Command command = {"attach"};
    command.insert(command.end(), target.begin(), target.end());
    command.insert(command.end(), {"--type", "counter", "--name", "x", "--id", "refused"});
    const Ended ended = daemon_.ctl(command);
    EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
    // One line; where the error has a place in a text, that text and a caret under the place.
    const auto lines = std::count(ended.err.begin(), ended.err.end(), '\n');
    EXPECT_EQ(lines, ended.err.ends_with("^\n") ? 3 : 1) << ended.err;
    EXPECT_EQ(daemon_.state_of("refused"), "") << "a refused attach leaves nothing";
    EXPECT_TRUE(links_of(daemon_.pid()).empty());
    return ended.err;
  }
  Daemon daemon_;
};

TEST_F(Refusals, NoSuchFunctionNamesTheNearest) {
  const Program program({"recursion", "1", "1", "1"});
  EXPECT_THAT(refusal({"--pid", std::to_string(program.pid()), "dwon"}), HasSubstr("down"));
}

TEST_F(Refusals, NoSuchCxxFunctionNamesTheNearest) {
  Process shop({program_path("shop_server")});
  shop.line();
  EXPECT_THAT(refusal({"--pid", std::to_string(shop.pid()), "shop::Cart::chekout"}), HasSubstr("shop::Cart::checkout"));
}

TEST_F(Refusals, NoSuchProcess) {
  EXPECT_THAT(refusal({"--pid", "4194302", "work"}), HasSubstr("4194302"));
}

TEST_F(Refusals, AProcessThatHasEnded) {
  Program program({"threads", "1", "1"});
  program.finish();
  EXPECT_THAT(refusal({"--pid", std::to_string(program.pid()), "work"}), HasSubstr(std::to_string(program.pid())));
}

TEST_F(Refusals, AnExecutableThatIsNotThere) {
  EXPECT_THAT(refusal({"--exe", "/nowhere/checkoutd", "work"}), HasSubstr("/nowhere/checkoutd"));
}

TEST_F(Refusals, AGlobThatMatchesNoFunction) {
  const Program program({"threads", "1", "1"});
  EXPECT_THAT(refusal({"--pid", std::to_string(program.pid()), "nothing_*"}), HasSubstr("nothing_"));
}

TEST_F(Refusals, AKernelThread) {
  EXPECT_THAT(refusal({"--pid", "2", "work"}), HasSubstr("2"));
}

TEST_F(Refusals, AMalformedExpression) {
  const Program program({"threads", "1", "1"});
  EXPECT_THAT(refusal({"--pid", std::to_string(program.pid()), "work", "--where", "arg0 >"}),
              ::testing::AnyOf(HasSubstr("--where"), HasSubstr("arg0 >")))
      << "the user wrote no file: the option or its text is the place";
}

TEST_F(Refusals, AnErrorInAnExpressionIsShownWithACaretUnderThePlace) {
  const Program program({"threads", "1", "1"});
  const std::string pid = std::to_string(program.pid());
  EXPECT_THAT(refusal({"--pid", pid, "work", "--where", "arg0 > nosuch"}),
              HasSubstr("\n    arg0 > nosuch\n           ^\n"));
  EXPECT_THAT(refusal({"--pid", pid, "work", "--where", "comm == \"a\\\"b\" && nosuch"}),
              HasSubstr("\n    comm == \"a\\\"b\" && nosuch\n                      ^\n"));
  const Ended json = daemon_.ctl({"attach", "--pid", pid, "work", "--where", "arg0 > nosuch", "--json"});
  EXPECT_EQ(std::count(json.err.begin(), json.err.end(), '\n'), 1) << json.err;
  EXPECT_EQ(nlohmann::json::parse(json.err).at("error").at("where"), "`arg0 > nosuch`");
}

TEST_F(Refusals, AnErrorInAnAppliedFileIsShownWithItsLineAndACaret) {
  const Program program({"threads", "1", "1"});
  const TemporaryFolder folder;
  write_file(folder.file("x.yaml"), spec_text("x", at(program.pid(), "work"), "type: counter, name: x, value: nosuch"));
  const Ended ended = daemon_.ctl({"apply", folder.file("x.yaml")});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, ContainsRegex("x.yaml:4:[0-9]+: .*\n    instrument: .*value: nosuch}\n +\\^\n"));
}

TEST_F(Refusals, AnUnknownTypeWithTheKnownOnes) {
  const Program program({"threads", "1", "1"});
  const Ended ended = daemon_.ctl({"attach", "--pid", std::to_string(program.pid()), "work", "--type", "countre"});
  EXPECT_THAT(ended.status, ::testing::AnyOf(1, 2));
  EXPECT_THAT(ended.err, HasSubstr("counter"));
}

TEST_F(Refusals, AClientWithoutPermissionIsToldSo) {
  const TemporaryFolder open;
  std::filesystem::permissions(open.path(), std::filesystem::perms::all);
  std::filesystem::permissions(daemon_.folder()->path(), std::filesystem::perms::all);
  std::filesystem::copy_file(binary("diagnosectl"), open.file("diagnosectl"));
  const Command command = {
      "setpriv",  "--reuid",        "65534", "--regid", "65534", "--clear-groups", open.file("diagnosectl"),
      "--socket", daemon_.socket(), "list"};
  const Ended closed = run(command);
  EXPECT_EQ(closed.status, 1) << closed.err;
  EXPECT_THAT(closed.err, ::testing::AnyOf(HasSubstr("permission"), HasSubstr("Permission")));
  // Where the file's mode lets them in, their credentials do not.
  std::filesystem::permissions(daemon_.socket(), std::filesystem::perms::all);
  const Ended peer = run(command);
  EXPECT_EQ(peer.status, 1) << peer.err;
  EXPECT_THAT(peer.err, HasSubstr("diagnose")) << "names the group to be in";
}

class ControlSocket : public ::testing::Test {
 protected:
  void TearDown() override {
    // Clients that have just gone may still be counted: then it refuses, with an id of null.
    const bool answers = eventually([&] {
      UnixClient client(daemon_.socket());
      const bool sent = client.send(R"({"jsonrpc":"2.0","id":7,"method":"list","params":{}})"
                                    "\n");
      const auto line = sent ? client.line() : std::nullopt;
      return line && nlohmann::json::parse(*line).at("id") == 7;
    });
    EXPECT_TRUE(answers) << "the daemon does not answer any more";
  }
  Daemon daemon_;
};

TEST_F(ControlSocket, ALineThatIsNotJsonIsAnsweredWithParseError) {
  UnixClient client(daemon_.socket());
  ASSERT_TRUE(client.send("hello\n"));
  const auto line = client.line();
  ASSERT_TRUE(line);
  EXPECT_EQ(nlohmann::json::parse(*line).at("error").at("code"), -32700);
}

TEST_F(ControlSocket, AnUnknownMethodIsAnsweredSo) {
  UnixClient client(daemon_.socket());
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"lsit"})"
                          "\n"));
  const auto line = client.line();
  ASSERT_TRUE(line);
  EXPECT_EQ(nlohmann::json::parse(*line).at("error").at("code"), -32601);
}

TEST_F(ControlSocket, ParametersOfAnotherTypeAreAnsweredSo) {
  UnixClient client(daemon_.socket());
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"detach","params":{"ids":{"a":5}}})"
                          "\n"));
  const auto line = client.line();
  ASSERT_TRUE(line);
  EXPECT_TRUE(nlohmann::json::parse(*line).contains("error")) << *line;
}

TEST_F(ControlSocket, AMessageCutShortIsForgotten) {
  UnixClient client(daemon_.socket());
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"meth)"));
}

TEST_F(ControlSocket, AMessageOfTwoMegabytesIsRefused) {
  UnixClient client(daemon_.socket());
  client.send(std::string(2U << 20U, 'x'));
  const auto line = client.line();
  if (line) {
    EXPECT_TRUE(nlohmann::json::parse(*line).contains("error")) << line->substr(0, 200);
  }
}

TEST_F(ControlSocket, NestingWithoutEndIsRefused) {
  UnixClient client(daemon_.socket());
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"list","params":)" + std::string(500'000, '[') + "\n"));
  const auto line = client.line();
  ASSERT_TRUE(line);
  EXPECT_TRUE(nlohmann::json::parse(*line).contains("error")) << line->substr(0, 200);
}

TEST_F(ControlSocket, AThousandConnectionsAtOnceDoNotEndIt) {
  std::vector<UnixClient> clients;
  for (int i = 0; i < 1000; ++i) clients.emplace_back(daemon_.socket());
  clients.clear();
}

}  // namespace
}  // namespace diagnose::test
