#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <vector>

#include "cli/fields.h"
#include "cli/render.h"
#include "cli/text.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

constexpr std::size_t bar_columns_most = 40;
constexpr std::size_t bar_columns_least = 8;

struct Bucket {
  double lower;  // exclusive, as Prometheus's buckets are
  double upper;  // inclusive
  double count;
};

// From cumulative to own counts; the empty ones at both ends are left out.
std::vector<Bucket> buckets_of(const json& series, bool from_zero) {
  std::vector<Bucket> buckets;
  double below = 0;
  double lower = from_zero ? 0 : -std::numeric_limits<double>::infinity();
  for (const json& bucket : list_of(series, "buckets")) {
    if (!bucket.is_array() || bucket.size() != 2 || !bucket[1].is_number()) continue;
    const double upper = bucket[0].is_number() ? bucket[0].get<double>() : std::numeric_limits<double>::infinity();
    const double cumulative = bucket[1].get<double>();
    buckets.push_back({lower, upper, std::max(cumulative - below, 0.0)});
    below = cumulative;
    lower = upper;
  }
  const auto used = [](const Bucket& bucket) { return bucket.count > 0; };
  const auto first = std::ranges::find_if(buckets, used);
  const auto last = std::find_if(buckets.rbegin(), buckets.rend(), used).base();
  return first < last ? std::vector<Bucket>(first, last) : std::vector<Bucket>();
}

// Whole and eighth blocks.
std::string bar(double share, std::size_t columns) {
  static constexpr const char* eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto total = static_cast<std::size_t>(std::lround(share * static_cast<double>(columns) * 8));
  std::string text;
  for (std::size_t i = 0; i < total / 8; ++i) text += "█";
  // Something is never shown as nothing.
  text += total == 0 && share > 0 ? eighths[1] : eighths[total % 8];
  const std::size_t used = total / 8 + (total % 8 != 0 || (total == 0 && share > 0) ? 1 : 0);
  return text + std::string(columns - std::min(used, columns), ' ');
}

std::string bound_text(double bound, const std::string& unit) {
  if (std::isinf(bound)) return bound > 0 ? "+inf" : "-inf";
  return value_text(bound, unit);
}

std::string bars_text(const std::vector<Bucket>& buckets, const std::string& unit, const Style& style) {
  std::vector<std::string> ranges;
  std::vector<std::string> counts;
  std::size_t range_columns = 0;
  std::size_t count_columns = 0;
  double most = 0;
  for (const Bucket& bucket : buckets) {
    const bool closed = !std::isinf(bucket.upper);
    ranges.push_back(
        fmt::format("({}, {}{}", bound_text(bucket.lower, unit), bound_text(bucket.upper, unit), closed ? "]" : ")"));
    counts.push_back(value_text(bucket.count, ""));
    range_columns = std::max(range_columns, columns(ranges.back()));
    count_columns = std::max(count_columns, columns(counts.back()));
    most = std::max(most, bucket.count);
  }
  const std::size_t taken = 2 + range_columns + 2 + count_columns + 3;
  const std::size_t room = style.width > taken ? style.width - taken : 0;
  const std::size_t bar_columns = std::clamp(room, bar_columns_least, bar_columns_most);
  std::string text;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const std::string blocks = bar(buckets[i].count / most, bar_columns);
    text += fmt::format("  {:<{}}  {:>{}} |{}|\n", ranges[i], range_columns, counts[i], count_columns,
                        style.colour ? "\x1b[36m" + blocks + "\x1b[0m" : blocks);
  }
  return text;
}

// {region="eu",ok="1"}; `probe` is known already.
std::string labels_text(const json& series) {
  std::string text;
  for (const auto& [name, value] : object_of(series, "labels").items()) {
    if (name == "probe") continue;
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", printable(name), scalar_text(value));
  }
  return text.empty() ? text : "{" + text + "}";
}

std::string histogram_text(const std::string& name, const std::string& unit, const json& series, const Style& style) {
  const double count = number_of(series, "count").value_or(0);
  const double sum = number_of(series, "sum").value_or(0);
  std::string text = fmt::format("{}{}\n", name, labels_text(series));
  // A time is never negative; of other values the lowest bucket's lower end is not known.
  text += bars_text(buckets_of(series, unit == "seconds"), unit, style);
  text += fmt::format("  count {}", value_text(count, ""));
  if (count > 0) text += fmt::format("  sum {}  mean {}", value_text(sum, unit), value_text(sum / count, unit));
  return text + "\n";
}

}  // namespace

std::string reading_text(const json& reading, const Style& style) {
  std::string histograms;
  Table table({{""}, {"", Align::right}});
  for (const json& family : list_of(reading, "families")) {
    const std::string name = text_of(family, "name");
    const std::string unit = text_of(family, "unit");
    const std::string kind = text_of(family, "kind");
    for (const json& series : list_of(family, "series")) {
      if (kind == "histogram") {
        histograms += histogram_text(name, unit, series, style);
      } else {
        table.row({name + (kind == "counter" ? "_total" : "") + labels_text(series),
                   value_text(number_of(series, "value").value_or(std::nan("")), unit)});
      }
    }
  }
  std::string text = histograms + table.text();
  const auto hits = number_of(reading, "hits");
  const std::string lost = losses_text(reading, "lost");
  if (hits) text += fmt::format("hits {}{}\n", value_text(*hits, ""), lost == "0" ? "" : "  lost " + lost);
  return text;
}

}  // namespace diagnose::cli
