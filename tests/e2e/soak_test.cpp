// Probes come and go under load, and what the daemon holds ends where it began.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "e2e/differential.h"
#include "support/bpf_objects.h"

namespace diagnose::test {
namespace {

using nlohmann::json;

constexpr int batches = 10;
constexpr int batch = 100;

// Some end by their hits, some by their time, and all shapes of a probe are among them.
json probe(pid_t pid, int number) {
  json instruments = json::array({{{"type", "counter"}, {"name", "calls"}, {"labels", {{"l", "arg0 % 3"}}}}});
  if (number % 10 == 1) instruments.push_back({{"type", "histogram"}, {"name", "times"}, {"value", "elapsed"}});
  if (number % 5 == 0) instruments.push_back({{"type", "log"}, {"value", "arg0"}, {"sample", "1/100"}});
  return {{"target", {{"pid", pid}, {"function", "work"}}},
          {"lifespan", number % 3 == 0 ? "1s" : "20 hits or 60s"},
          {"instruments", instruments}};
}

void cycle(const Daemon& daemon, pid_t pid, int round) {
  json probes = json::object();
  for (int i = 0; i < batch; ++i) probes[fmt::format("soak-{}-{}", round, i)] = probe(pid, i);
  const std::string file = daemon.folder()->file("soak.yaml");
  write_file(file, json{{"probes", probes}}.dump());
  const Ended ended = daemon.ctl({"apply", file});
  ASSERT_EQ(ended.status, 0) << ended.out << ended.err;
  const auto lives = [&] {
    std::size_t living = 0;
    const json list = daemon.json({"list"});
    for (const json& one : list.at("probes")) {
      const auto state = one.at("state").get<std::string>();
      EXPECT_TRUE(state == "armed" || state == "expired") << one;
      if (state == "armed") ++living;
    }
    return living;
  };
  EXPECT_TRUE(eventually([&] { return lives() == 0; }, 30s)) << daemon.json({"list"});
}

TEST(Soak, AThousandProbesThatComeAndExpireUnderLoadLeaveNothingBehind) {
  Program program({"threads", "2", "0"});
  Daemon daemon({.config = "retention: 1s\n"});
  const auto settled = [&] { return daemon.json({"list"}).at("probes").empty(); };
  const BpfObjects before = bpf_objects_of(daemon.pid());
  const std::size_t descriptors = descriptors_of(daemon.pid());
  program.go();
  BpfObjects seen;
  long warm_kib = 0;
  for (int round = 0; round < batches; ++round) {
    cycle(daemon, program.pid(), round);
    seen.add(bpf_objects_of(daemon.pid()));
    if (round == batches / 4) warm_kib = resident_kib_of(daemon.pid());
  }
  EXPECT_TRUE(eventually(settled, 30s)) << daemon.json({"list"});
  EXPECT_TRUE(eventually([&] { return bpf_objects_of(daemon.pid()) == before; }))
      << "before: " << before.text() << ", now: " << bpf_objects_of(daemon.pid()).text();
  EXPECT_TRUE(eventually([&] { return descriptors_of(daemon.pid()) <= descriptors; }))
      << descriptors << " descriptors before, now " << descriptors_of(daemon.pid());
  EXPECT_LT(resident_kib_of(daemon.pid()), warm_kib + 8 * 1024) << "KiB; after a quarter: " << warm_kib;
  program.enough();
  const auto counts = program.counts();
  EXPECT_EQ(counts.at("results"), 3 * counts.at("arguments"));
  EXPECT_EQ(daemon.terminate().status, 0);
  seen.add(before);
  EXPECT_TRUE(eventually([&] { return remaining(seen).empty(); })) << remaining(seen).text();
}

}  // namespace
}  // namespace diagnose::test
