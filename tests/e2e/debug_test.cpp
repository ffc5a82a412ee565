// Debug information that is not in the program itself: split off into debug files, .dwo files and packages, or on a
// debuginfod server.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// A program as a distribution ships it: without symbols and debug information, which are in a file beside it.
class Stripped {
 public:
  explicit Stripped(const std::string& name, bool with_debug_file = true) : path_(folder_.file(name)) {
    const std::string debug = path_ + ".debug";
    shell("objcopy --only-keep-debug " + program_path(name) + " " + debug +
          " && objcopy --strip-all --add-gnu-debuglink=" + debug + " " + program_path(name) + " " + path_);
    if (!with_debug_file) fs::rename(debug, folder_.file("elsewhere"));
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string debug_file() const { return folder_.file("elsewhere"); }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }
  static void shell(const std::string& command) {
    const Ended ended = run({"/bin/sh", "-c", command});
    if (ended.status != 0) throw std::runtime_error(command + ": " + ended.out + ended.err);
  }

 private:
  TemporaryFolder folder_;
  std::string path_;
};

std::string message_of(const Daemon& daemon, const Program& program, const Command& more) {
  Command command = {"attach", "--pid", std::to_string(program.pid()), "--type", "log", "--follow", "--json"};
  command.insert(command.end(), more.begin(), more.end());
  Process follower = daemon.client(command);
  if (!eventually([&] { return daemon.json({"list"}).at("probes").size() == 1; })) throw std::runtime_error("no probe");
  const std::string id = daemon.json({"list"}).at("probes")[0].at("id");
  if (!eventually([&] { return daemon.state_of(id) == "armed"; })) {
    throw std::runtime_error(follower.finish().err);
  }
  const_cast<Program&>(program).go();
  return json::parse(follower.line()).at("message");
}

TEST(DebugFile, OfAStrippedProgramTellsItsFunctionsAndWhereTheyAreDeclared) {
  const Stripped stripped("recursion");
  const Program program({stripped.path(), "1", "1", "1"});
  const Daemon daemon;
  const json answer = daemon.json({"functions", "--pid", std::to_string(program.pid()), "down"});
  ASSERT_EQ(answer.at("functions").size(), 1U);
  EXPECT_THAT(answer.at("functions")[0].at("file").get<std::string>(), HasSubstr("recursion.cpp"));
  EXPECT_GT(answer.at("functions")[0].at("line").get<int>(), 0);
  const json explained = daemon.json({"explain", "--pid", std::to_string(program.pid()), "down", "--type", "counter"});
  EXPECT_EQ(explained.at("debug")[0].at("source"),
            "/proc/" + std::to_string(program.pid()) + "/root" + stripped.path() + ".debug");
}

TEST(DebugFile, OfAStrippedProgramTellsTheCodeOfALine) {
  const Stripped stripped("lines");
  const Program whole({"lines", "7"});
  const Program program({stripped.path(), "7"});
  const Daemon daemon;
  const std::string source = read_file(TEST_SOURCE_DIR "/programs/lines.cpp");
  // Some line that has code in the program as it was built.
  for (int line = 1; line < 200; ++line) {
    const std::string place = "lines.cpp:" + std::to_string(line);
    const Ended there =
        daemon.ctl({"explain", "--pid", std::to_string(whole.pid()), "--line", place, "--type", "counter", "--json"});
    if (there.status != 0) continue;
    const Ended here =
        daemon.ctl({"explain", "--pid", std::to_string(program.pid()), "--line", place, "--type", "counter", "--json"});
    ASSERT_EQ(here.status, 0) << here.err;
    const json with = json::parse(there.out).at("sites");
    const json without = json::parse(here.out).at("sites");
    ASSERT_EQ(with.size(), without.size());
    for (std::size_t at = 0; at < with.size(); ++at) EXPECT_EQ(with[at].at("address"), without[at].at("address"));
    return;
  }
  FAIL() << "no line of lines.cpp has code";
}

TEST(DebugFile, OfAStrippedProgramNamesCallersAndStacks) {
  const Stripped stripped("shop_server");
  Process shop({stripped.path()});
  shop.line();
  const Daemon daemon;
  Process follower =
      daemon.client({"attach", "--pid", std::to_string(shop.pid()), "shop::price", "--type", "log", "--event", "call",
                     "--message", "{caller} {ustack}", "--id", "said", "--follow", "--json"});
  EXPECT_THAT(json::parse(follower.line()).at("message").get<std::string>(),
              MatchesRegex("shop::Cart::checkout\\+0x[0-9a-f]+ \\(shop_server\\) shop::price\\+0x[0-9a-f]+ "
                           "\\(shop_server\\).*"));
}

TEST(DebugFile, OfAnotherBuildIsNotUsed) {
  const Stripped stripped("recursion", false);
  fs::copy(program_path("lines"), stripped.path() + ".debug");
  const Program program({stripped.path(), "1", "1", "1"});
  const Daemon daemon;
  const Ended ended = daemon.ctl({"explain", "--pid", std::to_string(program.pid()), "down", "--type", "counter"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("stripped"));
}

// ---- split DWARF ----

std::string split(const std::string& name) {
  return TEST_BINARY_DIR "/tests/programs/split/" + name;
}

void expect_described(const std::string& path) {
  const Program program({path, "1"});
  const Daemon daemon;
  const json explained = daemon.json({"explain", "--pid", std::to_string(program.pid()), "take", "--type", "counter"});
  const std::string said = explained.at("functions")[0].at("signature");
  EXPECT_THAT(said, MatchesRegex("take\\((struct )?(Item const|const Item) ?\\*item, long( int)? more\\)")) << path;
  EXPECT_EQ(message_of(daemon, program,
                       {"take", "--message", "{str(item->name)} {item->count} {more} {::total} {sizeof(Item)}",
                        "--event", "call"}),
            "apple 3 0 40 16")
      << path;
}

TEST(SplitDwarf, IsReadFromItsFilesOfEachCompilerAndVersion) {
  for (const char* name : {"split_g4", "split_g5", "split_clang4", "split_clang5"}) {
    expect_described(split(name));
  }
}

// Debian's dwp packs version 4, its llvm-dwp clang's version 5.
TEST(SplitDwarf, IsReadFromAPackageBesideTheProgram) {
  const struct {
    const char* name;
    const char* tool;
  } all[] = {{"split_g4", "dwp"}, {"split_clang5", "llvm-dwp"}};
  for (const auto& [name, tool] : all) {
    const TemporaryFolder folder;
    const std::string path = folder.file("app");
    fs::copy(split(name), path);
    Stripped::shell("cd " TEST_BINARY_DIR "/tests/programs/split && timeout 60 " + std::string(tool) + " -e " + path +
                    " -o " + path + ".dwp");
    expect_described(path);
    EXPECT_TRUE(fs::remove(path + ".dwp"));
  }
}

TEST(SplitDwarf, ThatWasLostIsNamedWithTheWayToHaveIt) {
  const Program program({split("split_lost"), "1"});
  const Daemon daemon;
  const Ended ended = daemon.ctl(
      {"explain", "--pid", std::to_string(program.pid()), "take", "--type", "counter", "--where", "item->count > 1"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("its debug information is split"), HasSubstr("split_lost.dwo is missing"),
                               HasSubstr(".dwp")));
  // What needs none works all the same.
  EXPECT_EQ(daemon.ctl({"explain", "--pid", std::to_string(program.pid()), "take", "--type", "counter"}).status, 0);
}

// ---- debuginfod ----

std::string build_id_of(const std::string& path) {
  const std::string notes = run({"readelf", "-n", path}).out;
  const std::string key = "Build ID: ";
  const std::size_t at = notes.find(key);
  if (at == std::string::npos) throw std::runtime_error(path + " has no build id");
  return notes.substr(at + key.size(), notes.find('\n', at) - at - key.size());
}

// diagnosed with a server of debug files at `port`.
DaemonOptions with_server(const TemporaryFolder& cache, std::uint16_t port) {
  return {.wrapper = {"/usr/bin/env", "DEBUGINFOD_URLS=http://127.0.0.1:" + std::to_string(port),
                      "DEBUGINFOD_CACHE_PATH=" + cache.file("cache")}};
}

// A server of files that takes `delay` seconds for each.
Command slow_server(std::uint16_t port, const std::string& folder, const std::string& delay) {
  return {"/usr/bin/python3.11",
          "-c",
          "import http.server, sys, time, functools\n"
          "class Slow(http.server.SimpleHTTPRequestHandler):\n"
          "  def do_GET(self):\n"
          "    if self.path != '/': time.sleep(float(sys.argv[3]))\n"
          "    super().do_GET()\n"
          "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])),\n"
          "    functools.partial(Slow, directory=sys.argv[2])).serve_forever()\n",
          std::to_string(port),
          folder,
          delay};
}

// A server that has the debug file of `stripped`, and nothing else.
class DebugServer {
 public:
  explicit DebugServer(const Stripped& stripped, const std::string& delay = "0") {
    const fs::path folder = served_.path() / "buildid" / build_id_of(stripped.path());
    fs::create_directories(folder);
    fs::copy(stripped.debug_file(), folder / "debuginfo");
    server_.emplace(slow_server(port_, served_.path(), delay));
    if (!eventually([&] { return http_get(port_, "/").has_value(); })) throw std::runtime_error("no server");
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  TemporaryFolder served_;
  std::uint16_t port_ = free_port();
  std::optional<Process> server_;
};

TEST(Debuginfod, GivesADebugFileThatTheHostLacks) {
  if (!fs::exists("/usr/bin/python3.11")) GTEST_SKIP() << "needs /usr/bin/python3.11";
  const Stripped stripped("recursion", false);
  const DebugServer server(stripped);
  const TemporaryFolder cache;
  const Daemon daemon(with_server(cache, server.port()));
  const Program program({stripped.path(), "1", "1", "1"});
  const Command wanted = {"explain", "--pid", std::to_string(program.pid()), "down", "--type", "counter"};
  // On its way at first, if the host is busy.
  ASSERT_TRUE(eventually([&] { return daemon.ctl(wanted).status == 0; })) << daemon.ctl(wanted).err;
  const json explained = daemon.json(wanted);
  EXPECT_THAT(explained.at("debug")[0].at("source").get<std::string>(), HasSubstr(cache.file("cache")));
  EXPECT_THAT(explained.at("functions")[0].at("file").get<std::string>(), HasSubstr("recursion.cpp"));
}

// As the packaged unit starts it: an account without a home, and a folder that systemd has made for it.
TEST(Debuginfod, KeepsItsFilesWhereTheUnitSaysForAnAccountWithoutAHome) {
  if (!fs::exists("/usr/bin/python3.11")) GTEST_SKIP() << "needs /usr/bin/python3.11";
  const Stripped stripped("recursion", false);
  const DebugServer server(stripped);
  const TemporaryFolder cache;
  fs::permissions(cache.path(), fs::perms::all);
  auto folder = std::make_shared<TemporaryFolder>();
  fs::permissions(folder->path(), fs::perms::all);
  DaemonOptions options = with_server(cache, server.port());
  const Command homeless = {"-u", "HOME", "-u", "XDG_CACHE_HOME"};
  options.wrapper.insert(options.wrapper.begin() + 1, homeless.begin(), homeless.end());
  const std::string capabilities = "+bpf,+perfmon,+sys_ptrace,+dac_read_search,+lease,+checkpoint_restore";
  for (const char* word : {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set"}) {
    options.wrapper.emplace_back(word);
  }
  for (const char* word : {"--inh-caps", "--ambient-caps", "--no-new-privs"}) {
    options.wrapper.push_back("-all," + capabilities);
    options.wrapper.emplace_back(word);
  }
  options.folder = folder;
  const Daemon daemon(options);
  const Program program({stripped.path(), "1", "1", "1"});
  const Command wanted = {"explain", "--pid", std::to_string(program.pid()), "down", "--type", "counter"};
  ASSERT_TRUE(eventually([&] { return daemon.ctl(wanted).status == 0; })) << daemon.ctl(wanted).err;
  EXPECT_THAT(daemon.json(wanted).at("debug")[0].at("source").get<std::string>(), HasSubstr(cache.file("cache")));
}

TEST(Debuginfod, ProbesThatWaitForAFileAreTriedAgainWhenItHasCome) {
  if (!fs::exists("/usr/bin/python3.11")) GTEST_SKIP() << "needs /usr/bin/python3.11";
  const Stripped stripped("recursion", false);
  const DebugServer server(stripped, "9");
  const TemporaryFolder cache;
  Program program({stripped.path(), "3", "5", "4"});
  DaemonOptions options = with_server(cache, server.port());
  const std::string whole = "exe: " + stripped.path() + ", function: down";
  options.specs = {
      {"waits.yaml", spec_text("waits", at(program.pid(), "down"), "type: counter, name: waits") +
                         probe_text("follows", whole, "type: counter, name: follows, where: arg.depth >= 1")}};
  const Daemon daemon(options);
  EXPECT_EQ(daemon.state_of("waits"), "failed") << daemon.json({"status", "waits"});
  EXPECT_NE(daemon.state_of("follows"), "armed");
  EXPECT_THAT(daemon.json({"status", "waits"}).at("errors").dump(), HasSubstr("being fetched from debuginfod"));
  // Handed over by hand, too; and what a person was told has failed stays so.
  const TemporaryFolder files;
  write_file(files.file("applied.yaml"),
             spec_text("applied", at(program.pid(), "down"), "type: counter, name: applied"));
  EXPECT_EQ(daemon.ctl({"apply", files.file("applied.yaml")}).status, 1);
  EXPECT_EQ(daemon.ctl({"attach", "--pid", std::to_string(program.pid()), "down", "--id", "attached"}).status, 1);
  for (const char* id : {"waits", "follows", "applied"}) {
    EXPECT_TRUE(eventually([&] { return daemon.state_of(id) == "armed"; })) << daemon.json({"status", id});
    EXPECT_TRUE(daemon.json({"status", id}).at("errors").empty()) << id;
  }
  EXPECT_EQ(daemon.state_of("attached"), "");
  program.go();
  const auto calls = static_cast<double>(program.counts().at("down"));
  for (const char* name : {"waits_total", "follows_total", "applied_total"}) {
    EXPECT_EQ(daemon.metrics().value(name).value_or(-1), calls) << name;
  }
}

TEST(Debuginfod, ProbesThatWaitForAFileThatNoServerHasAreToldSo) {
  if (!fs::exists("/usr/bin/python3.11")) GTEST_SKIP() << "needs /usr/bin/python3.11";
  const Stripped stripped("recursion", false);
  const Stripped other("throwing", false);
  const DebugServer server(other, "3");
  const TemporaryFolder cache;
  const Program program({stripped.path(), "1", "1", "1"});
  DaemonOptions options = with_server(cache, server.port());
  options.specs = {{"waits.yaml", spec_text("waits", at(program.pid(), "down"), "type: counter, name: waits")}};
  const Daemon daemon(options);
  const auto errors = [&] { return daemon.json({"status", "waits"}).at("errors").dump(); };
  EXPECT_THAT(errors(), HasSubstr("being fetched from debuginfod"));
  EXPECT_TRUE(eventually([&] { return errors().find("looked for in vain") != std::string::npos; })) << errors();
  EXPECT_EQ(daemon.state_of("waits"), "failed");
}

TEST(Debuginfod, ThatDoesNotAnswerHoldsNobodyUp) {
  const Stripped stripped("recursion", false);
  const std::uint16_t port = free_port();
  const Fd silent = occupy(port);  // accepts, and says nothing
  const TemporaryFolder cache;
  Daemon daemon(with_server(cache, port));
  const Program program({stripped.path(), "1", "1", "1"});
  const auto begin = std::chrono::steady_clock::now();
  const Ended ended = daemon.ctl(
      {"explain", "--pid", std::to_string(program.pid()), "main", "--type", "counter", "--where", "argc > 1"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("stripped"));
  EXPECT_THAT(ended.err, HasSubstr("being fetched from debuginfod"));
  EXPECT_EQ(daemon.terminate(20s).status, 0);
}

}  // namespace
}  // namespace diagnose::test
