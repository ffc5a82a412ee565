// OpenMetrics 1.0.0 (https://github.com/OpenObservability/OpenMetrics, "specification/OpenMetrics.md").
#include <array>
#include <charconv>
#include <cmath>

#include "export/exposition.h"
#include "export/http.h"

namespace diagnose::exporter {
namespace {

constexpr std::string_view label_marks = "\\\"\n";

void append_count(std::string& text, std::uint64_t count) {
  std::array<char, 24> digits;
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), count).ptr);
}

bool append_not_finite(std::string& text, double number) {
  if (std::isnan(number)) {
    text += "NaN";
  } else if (std::isinf(number)) {
    text += number < 0 ? "-Inf" : "+Inf";
  } else {
    return false;
  }
  return true;
}

// 16 digits, as the text format has them: both formats show the same number.
void append_number(std::string& text, double number) {
  constexpr int digits_shown = 16;
  if (append_not_finite(text, number)) return;
  std::array<char, 32> digits;
  const auto end = digits.data() + digits.size();
  text.append(digits.data(), std::to_chars(digits.data(), end, number, std::chars_format::general, digits_shown).ptr);
}

// A bound is a label, so its text is its identity: the canonical form of the standard ("Considerations: Canonical
// Numbers"), which is Go's %g with ".0" where nothing else says that this is a float: 1.0, 0.001, 1e-05, 1e+06.
void append_bound(std::string& text, double bound) {
  if (append_not_finite(text, bound)) return;
  std::array<char, 40> digits;
  const auto end = digits.data() + digits.size();
  const double size = std::fabs(bound);
  const bool fixed = bound == 0 || (size >= 1e-4 && size < 1e6);
  const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const std::string_view shown(digits.data(), std::to_chars(digits.data(), end, bound, format).ptr);
  text += shown;
  if (shown.find_first_of(".e") == std::string_view::npos) text += ".0";
}

// "a=\"1\",b=\"2\"", escaped: made once for all lines of a series.
std::string labels_of(const metrics::Series& series) {
  std::string text;
  for (const auto& [name, value] : series.labels) {
    if (!text.empty()) text += ',';
    text += name;
    text += "=\"";
    if (value.find_first_of(label_marks) == std::string::npos) {
      text += value;
    } else {
      text += escaped(value, label_marks);
    }
    text += '"';
  }
  return text;
}

void append_head(std::string& text, const std::string& name, const char* suffix, const std::string& labels) {
  text += name;
  text += suffix;
  if (!labels.empty()) {
    text += '{';
    text += labels;
    text += '}';
  }
  text += ' ';
}

void append_histogram(std::string& text, const std::string& name, const metrics::Series& series) {
  const std::string labels = labels_of(series);
  for (const auto& [bound, count] : series.histogram.buckets) {
    text += name;
    text += "_bucket{";
    if (!labels.empty()) {
      text += labels;
      text += ',';
    }
    text += "le=\"";
    append_bound(text, bound);
    text += "\"} ";
    append_count(text, count);
    text += '\n';
  }
  append_head(text, name, "_count", labels);
  append_count(text, series.histogram.count);
  text += '\n';
  append_head(text, name, "_sum", labels);
  append_number(text, series.histogram.sum);
  text += '\n';
}

const char* type_of(metrics::Kind kind) {
  switch (kind) {
    case metrics::Kind::counter:
      return "counter";
    case metrics::Kind::gauge:
      return "gauge";
    case metrics::Kind::histogram:
      return "histogram";
  }
  return "unknown";
}

void append_family(std::string& text, const metrics::Family& family) {
  text += "# TYPE " + family.name + " " + type_of(family.kind) + "\n";
  // A unit must be the name's last part, or the whole scrape is invalid.
  if (!family.unit.empty() && family.name.ends_with("_" + family.unit)) {
    text += "# UNIT " + family.name + " " + family.unit + "\n";
  }
  text += "# HELP " + family.name + " " + escaped(help_of(family), label_marks) + "\n";
  for (const metrics::Series& series : family.series) {
    if (family.kind == metrics::Kind::histogram) {
      append_histogram(text, family.name, series);
      continue;
    }
    append_head(text, family.name, family.kind == metrics::Kind::counter ? "_total" : "", labels_of(series));
    append_number(text, series.value);
    text += '\n';
  }
}

}  // namespace

std::string open_metrics(const std::vector<metrics::Family>& families) {
  std::string text;
  for (const metrics::Family& family : families) append_family(text, family);
  text += "# EOF\n";
  return text;
}

}  // namespace diagnose::exporter
