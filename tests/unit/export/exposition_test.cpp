#include <gtest/gtest.h>
#include <limits>

#include "export/http.h"

namespace diagnose::exporter {
namespace {

using metrics::Family;
using metrics::Kind;
using metrics::Series;

constexpr double infinity = std::numeric_limits<double>::infinity();

Series number(std::vector<std::pair<std::string, std::string>> labels, double value) {
  Series series;
  series.labels = std::move(labels);
  series.value = value;
  return series;
}

Family counter() {
  Family family;
  family.name = "shop_orders";
  family.help = "Orders seen.";
  family.series = {number({{"probe", "orders"}, {"region", "eu"}}, 16'000'000),
                   number({{"probe", "orders"}, {"region", "a\"b\\c\nd"}}, 0)};
  return family;
}

Family gauge() {
  Family family;
  family.name = "shop_queue_bytes";
  family.help = "Backslash \\, newline\n, quote \".";
  family.unit = "bytes";
  family.kind = Kind::gauge;
  family.series = {number({}, -1.5), number({{"probe", "inf"}}, infinity)};
  return family;
}

Family histogram() {
  Family family;
  family.name = "shop_checkout_seconds";
  family.unit = "seconds";
  family.kind = Kind::histogram;
  Series series;
  series.labels = {{"probe", "checkout"}};
  series.histogram.buckets = {{1e-6, 1}, {0.0005, 2}, {0.25, 3}, {1, 4}, {1'048'576, 5}, {infinity, 6}};
  series.histogram.sum = 12.0625;
  series.histogram.count = 6;
  family.series = {series};
  return family;
}

TEST(TextFormat, IsWhatPrometheusReads) {
  EXPECT_EQ(text_format({counter(), gauge(), histogram()}),
            "# HELP shop_orders_total Orders seen.\n"
            "# TYPE shop_orders_total counter\n"
            "shop_orders_total{probe=\"orders\",region=\"eu\"} 16000000\n"
            "shop_orders_total{probe=\"orders\",region=\"a\\\"b\\\\c\\nd\"} 0\n"
            "# HELP shop_queue_bytes Backslash \\\\, newline\\n, quote \".\n"
            "# TYPE shop_queue_bytes gauge\n"
            "shop_queue_bytes -1.5\n"
            "shop_queue_bytes{probe=\"inf\"} +Inf\n"
            "# HELP shop_checkout_seconds Measured from outside by diagnose.\n"
            "# TYPE shop_checkout_seconds histogram\n"
            "shop_checkout_seconds_count{probe=\"checkout\"} 6\n"
            "shop_checkout_seconds_sum{probe=\"checkout\"} 12.0625\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"1e-06\"} 1\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"0.0005\"} 2\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"0.25\"} 3\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"1\"} 4\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"1048576\"} 5\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"+Inf\"} 6\n");
}

TEST(OpenMetrics, IsWhatTheStandardSays) {
  EXPECT_EQ(open_metrics({counter(), gauge(), histogram()}),
            "# TYPE shop_orders counter\n"
            "# HELP shop_orders Orders seen.\n"
            "shop_orders_total{probe=\"orders\",region=\"eu\"} 16000000\n"
            "shop_orders_total{probe=\"orders\",region=\"a\\\"b\\\\c\\nd\"} 0\n"
            "# TYPE shop_queue_bytes gauge\n"
            "# UNIT shop_queue_bytes bytes\n"
            "# HELP shop_queue_bytes Backslash \\\\, newline\\n, quote \\\".\n"
            "shop_queue_bytes -1.5\n"
            "shop_queue_bytes{probe=\"inf\"} +Inf\n"
            "# TYPE shop_checkout_seconds histogram\n"
            "# UNIT shop_checkout_seconds seconds\n"
            "# HELP shop_checkout_seconds Measured from outside by diagnose.\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"1e-06\"} 1\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"0.0005\"} 2\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"0.25\"} 3\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"1.0\"} 4\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"1.048576e+06\"} 5\n"
            "shop_checkout_seconds_bucket{probe=\"checkout\",le=\"+Inf\"} 6\n"
            "shop_checkout_seconds_count{probe=\"checkout\"} 6\n"
            "shop_checkout_seconds_sum{probe=\"checkout\"} 12.0625\n"
            "# EOF\n");
}

TEST(OpenMetrics, AUnitThatIsNotTheNamesEndIsNotDeclared) {
  Family family = gauge();
  family.name = "shop_queue";
  EXPECT_EQ(open_metrics({family}).find("# UNIT"), std::string::npos);
}

TEST(OpenMetrics, NothingIsJustTheEnd) {
  EXPECT_EQ(open_metrics({}), "# EOF\n");
  EXPECT_EQ(text_format({}), "");
}

}  // namespace
}  // namespace diagnose::exporter
