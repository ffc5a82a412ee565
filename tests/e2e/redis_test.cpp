// A server that everybody has, under its own load generator; it keeps count of its commands itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Redis {
 public:
  explicit Redis(const std::string& program = "/usr/bin/redis-server")
      : port_(free_port()),
        process_({program, "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                  "--logfile", folder_.file("log"), "--dir", folder_.path()}) {
    if (!eventually([&] { return ask({"ping"}) == "PONG\n"; }))
      throw std::runtime_error("redis-server does not answer");
  }

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] std::string ask(const Command& words) const {
    Command command = {"redis-cli", "-p", std::to_string(port_)};
    command.insert(command.end(), words.begin(), words.end());
    return run(command).out;
  }
  void load(int requests) const {
    const Ended ended = run({"redis-benchmark", "-p", std::to_string(port_), "-q", "-n", std::to_string(requests), "-c",
                             "8", "-t", "ping_inline,set,get,incr"});
    if (ended.status != 0) throw std::runtime_error("redis-benchmark: " + ended.out + ended.err);
  }

 private:
  TemporaryFolder folder_;
  std::uint16_t port_;
  Process process_;
};

// The number behind `key:` in the text of INFO.
long number(const std::string& info, const std::string& key) {
  const std::size_t at = info.find("\n" + key + ":");
  return at == std::string::npos ? -1 : std::stol(info.substr(at + key.size() + 2));
}

// The sum of `calls=N` over all commands.
long all_calls(const std::string& info) {
  long sum = 0;
  const std::string key = ":calls=";
  for (std::size_t at = info.find(key); at != std::string::npos; at = info.find(key, at + 1)) {
    sum += std::stol(info.substr(at + key.size()));
  }
  return sum;
}

TEST(Redis, CommandsCountedFromOutsideEqualItsOwnCommandstatsToTheCall) {
  const Redis redis;
  const Daemon daemon(
      {.specs = {{"redis.yaml", spec_text("commands", at(redis.pid(), "processCommand"), counter("redis.commands"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("commands") == "armed"; })) << daemon.ctl({"list"}).out;
  ASSERT_EQ(redis.ask({"config", "resetstat"}), "OK\n");  // counts itself, behind the reset
  const double before = daemon.metrics().value("redis_commands_total").value_or(-1) - 1;
  redis.load(20'000);
  const std::string info = redis.ask({"info", "all"});  // does not know yet of itself
  const double counted = daemon.metrics().value("redis_commands_total").value_or(-1) - before;
  EXPECT_GE(all_calls(info), 80'000);
  EXPECT_EQ(number(info, "total_commands_processed"), all_calls(info));
  EXPECT_EQ(counted, static_cast<double>(all_calls(info) + 1));
}

TEST(Redis, EveryCommandHasADurationOnceItHasReturned) {
  const Redis redis;
  const Daemon daemon({.specs = {{"redis.yaml", spec_text("commands", at(redis.pid(), "processCommand"),
                                                          "type: histogram, name: redis.command, value: elapsed")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("commands") == "armed"; })) << daemon.ctl({"list"}).out;
  ASSERT_EQ(redis.ask({"config", "resetstat"}), "OK\n");
  const double before = daemon.metrics().value("redis_command_seconds_count").value_or(-1) - 1;
  redis.load(5000);
  const std::string info = redis.ask({"info", "all"});
  const Metrics metrics = daemon.metrics();
  const double counted = metrics.value("redis_command_seconds_count").value_or(-1) - before;
  EXPECT_GE(all_calls(info), 20'000);
  EXPECT_EQ(counted + metrics.sum("diagnose_events_lost_total", {{"probe", "commands"}}),
            static_cast<double>(all_calls(info) + 1));
  EXPECT_EQ(metrics.sum("diagnose_events_lost_total", {{"probe", "commands"}}), 0);
  EXPECT_GT(metrics.value("redis_command_seconds_sum").value_or(0), 0);
}

// ---- with debug information: built by tests/redis/redis ----

const std::string built = TEST_BINARY_DIR "/redis/redis-server";

// Empty if it was built; else why it was not.
std::string why_not_built() {
  if (std::filesystem::exists(built)) return "";
  const std::string reason = TEST_BINARY_DIR "/redis/missing";
  return std::filesystem::exists(reason) ? read_file(reason) : "tests/redis/redis build build/redis has not run";
}

TEST(RedisWithDebugInformation, ExplainShowsTheFunctionAsItsSourceDeclaresIt) {
  if (const std::string why = why_not_built(); !why.empty()) GTEST_SKIP() << why;
  const Redis redis(built);
  const Daemon daemon;
  const Command wanted = {"explain", "--pid",   std::to_string(redis.pid()), "call", "--type",
                          "log",     "--value", "str(c->cmd->fullname)"};
  const json function = daemon.json(wanted).at("functions").at(0);
  EXPECT_EQ(function.at("signature"), "call(client *c, int flags)");
  EXPECT_THAT(function.at("file").get<std::string>(), HasSubstr("server.c"));
  ASSERT_EQ(function.at("arguments").size(), 2U);
  EXPECT_EQ(function.at("arguments")[0].at("place"), "%rdi");
  EXPECT_EQ(function.at("arguments")[1].at("place"), "%esi");
  EXPECT_THAT(daemon.ctl(wanted).out,
              AllOf(HasSubstr("signature  call(client *c, int flags)"), HasSubstr("server.c:")));
}

TEST(RedisWithDebugInformation, EveryCommandOfRealTrafficIsToldByItsFullNameInItsOrder) {
  if (const std::string why = why_not_built(); !why.empty()) GTEST_SKIP() << why;
  const Redis redis(built);
  const Daemon daemon;
  Process follower = daemon.client({"attach", "--pid", std::to_string(redis.pid()), "call", "--type", "log",
                                    "--message", "{str(c->cmd->fullname)} {c->argc} {str(c->argv[0]->ptr)}", "--id",
                                    "commands", "--lifespan", "10m", "--follow", "--json"});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("commands") == "armed"; }));
  EXPECT_EQ(redis.ask({"set", "key", "5"}), "OK\n");
  EXPECT_EQ(redis.ask({"get", "key"}), "5\n");
  EXPECT_EQ(redis.ask({"config", "get", "maxclients"}), "maxclients\n10000\n");
  EXPECT_EQ(redis.ask({"rpush", "list", "a", "b", "c"}), "3\n");
  EXPECT_EQ(redis.ask({"eval", "return redis.call('incr', 'key')", "0"}), "6\n");
  EXPECT_EQ(redis.ask({"client", "id"}).empty(), false);
  for (const char* said : {"set 3 set", "get 2 get", "config|get 3 config", "rpush 5 rpush", "eval 3 eval",
                           "incr 2 incr", "client|id 2 client"}) {
    EXPECT_EQ(json::parse(follower.line()).at("message"), said);
  }
  follower.signal(SIGINT);
  EXPECT_EQ(follower.finish().out, "");
}

// Thousands, from eight clients at once: what the probe counts by name is what the server counts by name.
TEST(RedisWithDebugInformation, CommandsCountedByNameEqualItsOwnCommandstats) {
  if (const std::string why = why_not_built(); !why.empty()) GTEST_SKIP() << why;
  const Redis redis(built);
  const Daemon daemon(
      {.specs = {{"redis.yaml", spec_text("commands", at(redis.pid(), "call"),
                                          counter("redis.calls") + ", labels: {command: str(c->cmd->fullname)}")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("commands") == "armed"; })) << daemon.ctl({"list"}).out;
  ASSERT_EQ(redis.ask({"config", "resetstat"}), "OK\n");
  redis.load(5'000);
  const std::string info = redis.ask({"info", "commandstats"});
  const Metrics metrics = daemon.metrics();
  long compared = 0;
  const std::string key = "cmdstat_";
  for (std::size_t at = info.find(key); at != std::string::npos; at = info.find(key, at + 1)) {
    const std::string name = info.substr(at + key.size(), info.find(':', at) - at - key.size());
    if (name.starts_with("config")) continue;  // counted before the reset as well
    EXPECT_EQ(metrics.sum("redis_calls_total", {{"command", name}}),
              std::stol(info.substr(info.find("calls=", at) + 6)));
    ++compared;
  }
  EXPECT_GE(compared, 4);  // ping, set, get, incr
  EXPECT_EQ(metrics.sum("redis_calls_total", {{"command", "set"}}), 5'000);
  EXPECT_EQ(metrics.sum("diagnose_events_lost_total", {{"probe", "commands"}}), 0);
}

}  // namespace
}  // namespace diagnose::test
