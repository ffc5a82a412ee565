// Counting in the kernel and counting from records give the same, and what records lose is counted.  A probe of
// processes by name takes up those that start later.
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

std::string aggregated(const std::string& how, pid_t pid, const std::string& instruments) {
  return fmt::format("  {0}:\n    target: {{{1}}}\n    aggregate: {0}\n    lifespan: 30m\n    instruments:\n{2}", how,
                     at(pid, "work"), instruments);
}

// Every series of the probe's three instruments by its name and labels, but for the label `probe`.
std::map<std::pair<std::string, Labels>, double> series_of(const Metrics& metrics, const std::string& probe) {
  std::map<std::pair<std::string, Labels>, double> found;
  for (const char* name : {"calls_total", "by_label_total", "sizes_bucket", "sizes_sum", "sizes_count"}) {
    for (const Series& series : metrics.find(name, {{"probe", probe}})) {
      Labels labels = series.labels;
      labels.erase("probe");
      found[{name, labels}] = series.value;
    }
  }
  return found;
}

TEST(Aggregate, InTheKernelAndFromRecordsEverySeriesIsTheSameAndExact) {
  Program program({"threads", "4", "4000"});
  const std::string instruments =
      "      - {type: counter, name: calls}\n"
      "      - {type: counter, name: by_label, labels: {l: arg0 % 4}}\n"
      "      - {type: histogram, name: sizes, value: arg0}\n";
  const Daemon daemon({.specs = {{"both.yaml", "probes:\n" + aggregated("kernel", program.pid(), instruments) +
                                                   aggregated("events", program.pid(), instruments)}}});
  for (const char* probe : {"kernel", "events"}) {
    ASSERT_TRUE(eventually([&] { return daemon.state_of(probe) == "armed"; })) << probe << daemon.state_of(probe);
  }
  program.go();
  const auto counts = program.counts();
  ASSERT_EQ(counts.at("calls"), 16'000);
  const auto events = [&] { return series_of(daemon.metrics(), "events"); };
  const auto kernel = series_of(daemon.metrics(), "kernel");
  EXPECT_TRUE(eventually([&] { return events() == kernel; }));

  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(series_of(metrics, "events"), kernel);
  for (const char* probe : {"kernel", "events"}) {
    EXPECT_EQ(metrics.value("calls_total", {{"probe", probe}}).value_or(-1), 16'000) << probe;
    for (int label = 0; label < 4; ++label) {
      EXPECT_EQ(metrics.value("by_label_total", {{"probe", probe}, {"l", std::to_string(label)}}).value_or(-1),
                static_cast<double>(counts.at("label" + std::to_string(label))))
          << probe << " " << label;
    }
    EXPECT_EQ(metrics.value("sizes_count", {{"probe", probe}}).value_or(-1), 16'000) << probe;
    EXPECT_EQ(metrics.value("sizes_sum", {{"probe", probe}}).value_or(-1), static_cast<double>(counts.at("arguments")))
        << probe;
    EXPECT_EQ(metrics.value("sizes_bucket", {{"probe", probe}, {"le", "+Inf"}}).value_or(-1), 16'000) << probe;
    EXPECT_EQ(metrics.sum("diagnose_events_lost_total", {{"probe", probe}}), 0) << probe;
  }
}

TEST(Aggregate, UnderOverloadWhatIsKeptAndWhatIsLostMakeUpEveryCall) {
  Program program({"threads", "16", "1000000"});
  const Daemon daemon({.specs = {{"events.yaml", "probes:\n" + aggregated("events", program.pid(),
                                                                          "      - {type: counter, name: calls}\n")}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("events") == "armed"; })) << daemon.state_of("events");
  program.go();
  ASSERT_EQ(program.counts(180s).at("calls"), 16'000'000);
  double kept = 0;
  double lost = 0;
  const auto made_up = [&] {
    const Metrics metrics = daemon.metrics();
    kept = metrics.value("calls_total").value_or(0);
    lost = 0;
    for (const char* reason : {"ring_full", "rate"}) {
      lost += metrics.value("diagnose_events_lost_total", {{"probe", "events"}, {"reason", reason}}).value_or(0);
    }
    return kept + lost == 16'000'000;
  };
  EXPECT_TRUE(eventually(made_up, 180s)) << fmt::format("kept {} lost {}", kept, lost);
  EXPECT_GT(kept, 0);
  EXPECT_EQ(daemon.metrics().sum("diagnose_events_lost_total", {{"probe", "events"}}), lost)
      << "lost for other reasons";
}

TEST(Aggregate, AProbeOfProcessesByNameCountsThoseThatStartLater) {
  // A name of its own: other tests run `threads` as well, and `comm` means every process of the host.
  const TemporaryFolder folder;
  const std::string name = fmt::format("named{}", getpid());
  std::filesystem::copy_file(program_path("threads"), folder.file(name));
  const Daemon daemon(
      {.specs = {{"name.yaml", spec_text("name", fmt::format("comm: {}, function: work", name), counter("works"))}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("name") == "pending"; })) << daemon.state_of("name");
  for (int run = 1; run <= 3; ++run) {
    Program program({folder.file(name), "2", "5000"});
    ASSERT_TRUE(eventually([&] {
      return daemon.metrics().value("diagnose_probe_installed",
                                    {{"probe", "name"}, {"pid", std::to_string(program.pid())}}) == 1;
    })) << daemon.json({"status", "name"});
    program.go();
    EXPECT_EQ(program.counts().at("calls"), 10'000);
    EXPECT_EQ(daemon.metrics().value("works_total").value_or(-1), 10'000 * run);
  }
}

}  // namespace
}  // namespace diagnose::test
