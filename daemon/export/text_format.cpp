// The text format 0.0.4, written by prometheus-cpp.
#include <array>
#include <ostream>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <streambuf>

#include "export/exposition.h"
#include "export/http.h"

namespace diagnose::exporter {
namespace {

// Appends to a string.  The serializer writes label values byte by byte, so the put area, which needs no virtual call,
// is where the time goes or stays; and a large scrape is not copied out of a stream.
class StringBuffer final : public std::streambuf {
 public:
  explicit StringBuffer(std::string& text) : text_(text) { setp(area_.data(), area_.data() + area_.size()); }

  void flush() {
    text_.append(pbase(), pptr());
    setp(area_.data(), area_.data() + area_.size());
  }

 protected:
  int_type overflow(int_type byte) override {
    flush();
    if (!traits_type::eq_int_type(byte, traits_type::eof())) sputc(traits_type::to_char_type(byte));
    return traits_type::not_eof(byte);
  }

 private:
  std::string& text_;
  std::array<char, 16384> area_;
};

prometheus::MetricType type_of(metrics::Kind kind) {
  switch (kind) {
    case metrics::Kind::counter:
      return prometheus::MetricType::Counter;
    case metrics::Kind::gauge:
      return prometheus::MetricType::Gauge;
    case metrics::Kind::histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric metric_of(const metrics::Series& series, metrics::Kind kind) {
  prometheus::ClientMetric metric;
  metric.label.reserve(series.labels.size());
  for (const auto& [name, value] : series.labels) metric.label.push_back({name, value});
  switch (kind) {
    case metrics::Kind::counter:
      metric.counter.value = series.value;
      break;
    case metrics::Kind::gauge:
      metric.gauge.value = series.value;
      break;
    case metrics::Kind::histogram:
      metric.histogram.sample_count = series.histogram.count;
      metric.histogram.sample_sum = series.histogram.sum;
      metric.histogram.bucket.reserve(series.histogram.buckets.size());
      for (const auto& [bound, count] : series.histogram.buckets) metric.histogram.bucket.push_back({count, bound});
      break;
  }
  return metric;
}

prometheus::MetricFamily family_of(const metrics::Family& family) {
  prometheus::MetricFamily result;
  result.name = family.kind == metrics::Kind::counter ? family.name + "_total" : family.name;
  result.help = escaped(help_of(family), "\\\n");  // the serializer writes it as it is
  result.type = type_of(family.kind);
  result.metric.reserve(family.series.size());
  for (const metrics::Series& series : family.series) result.metric.push_back(metric_of(series, family.kind));
  return result;
}

}  // namespace

std::string text_format(const std::vector<metrics::Family>& families) {
  std::string text;
  StringBuffer buffer(text);
  std::ostream stream(&buffer);
  const prometheus::TextSerializer serializer;
  // One family at a time: a second model of everything at once would cost the daemon its memory.
  std::vector<prometheus::MetricFamily> one(1);
  for (const metrics::Family& family : families) {
    one.front() = family_of(family);
    serializer.Serialize(stream, one);
  }
  buffer.flush();
  return text;
}

}  // namespace diagnose::exporter
