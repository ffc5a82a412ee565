// The metrics as their readers read them: promtool, and a Prometheus server that scrapes the daemon.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/spec_text.h"
#include "support/daemon.h"

namespace diagnose::test {
namespace {

Process shop() {
  Process shop({program_path("shop_server")});
  shop.line();
  return shop;
}

std::string every_instrument(pid_t pid) {
  return fmt::format(R"(probes:
  checkout:
    target: {{pid: {0}, function: "shop::Cart::checkout"}}
    instruments:
      - {{type: histogram, name: shop.checkout, value: elapsed, help: "time of a checkout"}}
      - {{type: histogram, name: shop.items, value: "(u32)arg1", buckets: {{explicit: [1, 2, 5, 10]}}}}
      - {{type: counter, name: shop.checkouts, labels: {{odd: "arg1 % 2", text: "comm"}}}}
      - {{type: gauge, name: shop.largest, operation: max, value: "(u32)arg1", unit: bytes}}
      - {{type: log, message: "{{arg1}} items"}}
)",
                     pid);
}

TEST(Prometheus, PromtoolFindsNothingToSayAboutTheMetrics) {
  const Process target = shop();
  const Daemon daemon({.specs = {{"shop.yaml", every_instrument(target.pid())}}});
  ASSERT_TRUE(eventually([&] { return daemon.metrics().sum("shop_checkouts_total") > 0; })) << daemon.metrics_text();
  const Ended ended = run({"promtool", "check", "metrics"}, daemon.metrics_text());
  EXPECT_EQ(ended.out + ended.err, "");
  EXPECT_EQ(ended.status, 0);
}

TEST(Prometheus, TheFamiliesOfThisVersionAreThere) {
  const Process target = shop();
  const Daemon daemon({.specs = {{"shop.yaml", every_instrument(target.pid())}}});
  ASSERT_TRUE(eventually([&] { return daemon.metrics().sum("shop_checkouts_total") > 0; }));
  const Metrics metrics = daemon.metrics();
  EXPECT_EQ(metrics.type("shop_checkout_seconds"), "histogram");
  EXPECT_EQ(metrics.help("shop_checkout_seconds"), "time of a checkout");
  EXPECT_EQ(metrics.type("shop_checkouts_total"), "counter");
  EXPECT_EQ(metrics.type("shop_largest_bytes"), "gauge");
  EXPECT_EQ(metrics.find("shop_items_bucket", {{"probe", "checkout"}}).size(), 5U);
  EXPECT_GT(metrics.value("diagnose_probe_hits_total", {{"probe", "checkout"}}).value_or(0), 0);
  EXPECT_EQ(metrics.value("diagnose_probe_info", {{"probe", "checkout"}, {"state", "armed"}}).value_or(0), 1);
  EXPECT_GT(metrics.value("diagnose_probe_expires_timestamp_seconds", {{"probe", "checkout"}}).value_or(0), 1.7e9);
  EXPECT_EQ(metrics.value("diagnose_probe_installed", {{"probe", "checkout"}, {"pid", std::to_string(target.pid())}})
                .value_or(0),
            1);
  EXPECT_EQ(metrics.find("diagnose_build_info").size(), 1U);
  EXPECT_TRUE(metrics.value("process_resident_memory_bytes").has_value());
  EXPECT_FALSE(metrics.find("diagnose_events_lost_total", {{"probe", "checkout"}}).empty());
}

TEST(Prometheus, OpenMetricsIsGivenToThoseWhoAskForIt) {
  const Daemon daemon;
  const auto answer = http_get(daemon.port(), "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->headers.find("application/openmetrics-text"), std::string::npos) << answer->headers;
  EXPECT_TRUE(answer->body.ends_with("# EOF\n"));
  const auto plain = http_get(daemon.port(), "/metrics");
  ASSERT_TRUE(plain);
  EXPECT_NE(plain->headers.find("text/plain; version=0.0.4"), std::string::npos) << plain->headers;
}

TEST(Prometheus, TheOtherPagesAnswer) {
  const Process target = shop();
  const Daemon daemon({.specs = {{"shop.yaml", every_instrument(target.pid())}}});
  ASSERT_TRUE(eventually([&] { return daemon.state_of("checkout") == "armed"; }));
  EXPECT_EQ(http_get(daemon.port(), "/-/healthy")->status, 200);
  EXPECT_EQ(http_get(daemon.port(), "/-/ready")->status, 200);
  EXPECT_EQ(http_get(daemon.port(), "/no-such-page")->status, 404);
  const auto index = http_get(daemon.port(), "/");
  EXPECT_EQ(index->status, 200);
  EXPECT_NE(index->body.find("checkout"), std::string::npos) << index->body;
}

TEST(Prometheus, AServerScrapesTheDaemonAndAnswersAHistogramQuantile) {
  const Process target = shop();
  const Daemon daemon({.specs = {{"shop.yaml", every_instrument(target.pid())}}});
  const TemporaryFolder folder;
  write_file(folder.file("prometheus.yml"),
             fmt::format("global: {{scrape_interval: 250ms, scrape_timeout: 200ms}}\n"
                         "scrape_configs:\n- job_name: diagnose\n  static_configs:\n  - targets: ['127.0.0.1:{}']\n",
                         daemon.port()));
  const std::uint16_t port = free_port();
  const Process server({"/bin/sh", "-c", "exec \"$@\" 2>\"$0\"", folder.file("log"), "prometheus",
                        "--config.file=" + folder.file("prometheus.yml"), "--storage.tsdb.path=" + folder.file("data"),
                        "--web.listen-address=127.0.0.1:" + std::to_string(port)});
  // histogram_quantile(0.9, sum by (le) (rate(shop_checkout_seconds_bucket{probe="checkout"}[5s])))
  const std::string query =
      "/api/v1/query?query=histogram_quantile(0.9,%20sum%20by%20(le)%20(rate(shop_checkout_seconds_bucket"
      "%7Bprobe%3D%22checkout%22%7D%5B5s%5D)))";
  std::string body;
  double quantile = 0;
  EXPECT_TRUE(eventually(
      [&] {
        const auto answer = http_get(port, query);
        if (!answer || answer->status != 200) return false;
        body = answer->body;
        const auto result = nlohmann::json::parse(body).at("data").at("result");
        if (result.size() != 1) return false;
        quantile = std::stod(result[0].at("value").at(1).get<std::string>());
        return quantile > 0;
      },
      30s))
      << body << read_file(folder.file("log"));
  // A checkout sleeps for 0.2 ms an item, up to 20 of them; a busy machine makes it longer, never shorter.
  EXPECT_GT(quantile, 200e-6);
}

}  // namespace
}  // namespace diagnose::test
