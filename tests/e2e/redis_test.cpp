// A server that everybody has, under its own load generator; it keeps count of its commands itself.
#include <gtest/gtest.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

class Redis {
 public:
  Redis()
      : port_(free_port()),
        process_({"/usr/bin/redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "",
                  "--appendonly", "no", "--logfile", folder_.file("log"), "--dir", folder_.path()}) {
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

}  // namespace
}  // namespace diagnose::test
