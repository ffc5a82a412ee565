#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "metrics/registry.h"

namespace diagnose::metrics {
namespace {

constexpr const char* other_value = "__other__";

// Native unit -> shown.  Dividing by a whole number rounds once (1500000 ns is 0.0015 s); multiplying by 1e-9 rounds
// twice.
class Scale {
 public:
  explicit Scale(double factor) : factor_(factor) {
    const double inverse = std::round(1 / factor);
    if (factor < 1 && 1 / inverse == factor) divisor_ = inverse;
  }
  [[nodiscard]] double operator()(double native) const { return divisor_ != 0 ? native / divisor_ : native * factor_; }

 private:
  double factor_;
  double divisor_ = 0;
};

double number(std::uint64_t word, bool is_signed) {
  return is_signed ? static_cast<double>(static_cast<std::int64_t>(word)) : static_cast<double>(word);
}

HistogramValue histogram_of(const Shape& shape, const Scale& scale, std::span<const std::uint64_t> words) {
  HistogramValue shown;
  shown.sum = scale(number(words[0], shape.value_is_signed));
  shown.buckets.reserve(shape.bounds.size() + 1);
  for (std::size_t i = 0; i <= shape.bounds.size(); ++i) {
    shown.count += words[i + 1];
    double bound = std::numeric_limits<double>::infinity();
    if (i < shape.bounds.size()) {
      bound = i < shape.shown_bounds.size() ? shape.shown_bounds[i] : scale(static_cast<double>(shape.bounds[i]));
    }
    shown.buckets.emplace_back(bound, shown.count);
  }
  return shown;
}

bool never_set(const Shape& shape, std::span<const std::uint64_t> words) {
  return shape.kind == Kind::gauge && shape.gauge != GaugeFold::add && words[1] == 0;
}

void show(const Shape& shape, const Scale& scale, std::span<const std::uint64_t> words, Series& series) {
  switch (shape.kind) {
    case Kind::counter:
      series.value = scale(number(words[0], false));
      return;
    case Kind::gauge:
      series.value = scale(number(words[0], shape.value_is_signed));
      return;
    case Kind::histogram:
      series.histogram = histogram_of(shape, scale, words);
      return;
  }
}

// Puts `from` into `into`, which has the same labels.
void combine(const Shape& shape, const Series& from, Series& into) {
  if (shape.kind == Kind::histogram) {
    for (std::size_t i = 0; i < into.histogram.buckets.size(); ++i) {
      into.histogram.buckets[i].second += from.histogram.buckets[i].second;
    }
    into.histogram.sum += from.histogram.sum;
    into.histogram.count += from.histogram.count;
    return;
  }
  if (shape.kind == Kind::counter || shape.gauge == GaugeFold::add) {
    into.value += from.value;
  } else if (shape.gauge == GaugeFold::min) {
    into.value = std::min(into.value, from.value);
  } else if (shape.gauge == GaugeFold::max) {
    into.value = std::max(into.value, from.value);
  } else {
    into.value = from.value;  // which was set last is not known: either is true
  }
}

// Numbers are different as labels if they are different as bytes; texts need not be.
bool labels_may_meet(const Shape& shape) {
  return std::any_of(shape.key.columns.begin(), shape.key.columns.end(),
                     [](const event::Column& column) { return column.type == event::ColumnType::text; });
}

std::size_t hash_of(const Series& series) {
  std::size_t hash = 0;
  for (const auto& [name, value] : series.labels) hash = hash * 1'000'003U + std::hash<std::string_view>{}(value);
  return hash;
}

void join_equal_labels(const Shape& shape, std::vector<Series>& all) {
  std::vector<std::pair<std::size_t, std::size_t>> order;  // hash, index
  order.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) order.emplace_back(hash_of(all[i]), i);
  std::sort(order.begin(), order.end());
  std::vector<bool> gone(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (gone[order[i].second]) continue;
    for (std::size_t j = i + 1; j < order.size() && order[j].first == order[i].first; ++j) {
      if (gone[order[j].second] || all[order[j].second].labels != all[order[i].second].labels) continue;
      combine(shape, all[order[j].second], all[order[i].second]);
      gone[order[j].second] = true;
    }
  }
  std::size_t index = 0;
  std::erase_if(all, [&](const Series&) { return gone[index++]; });
}

class Rows {
 public:
  Rows(const Shape& shape, Family& family) : shape_(shape), scale_(shape.scale), family_(family) {}

  void add(std::span<const std::byte> key, std::span<const std::uint64_t> words, bool other) {
    if (words.size() < words_of(shape_) || never_set(shape_, words)) return;
    Series& series = family_.series.emplace_back();
    series.labels.reserve(shape_.constant_labels.size() + shape_.key.columns.size());
    series.labels = shape_.constant_labels;
    for (const event::Column& column : shape_.key.columns) {
      series.labels.emplace_back(column.name,
                                 other ? std::string(other_value) : event::text_of(event::value_of(column, key)));
    }
    show(shape_, scale_, words, series);
  }

 private:
  const Shape& shape_;
  Scale scale_;
  Family& family_;
};

}  // namespace

Family family_of(const Shape& shape, const Reading& reading) {
  Family family{.name = shape.name, .help = shape.help, .unit = shape.unit, .kind = shape.kind, .series = {}};
  family.series.reserve(reading.series.size() + 1);
  Rows rows(shape, family);
  for (const Folded& folded : reading.series) rows.add(folded.key, folded.words, false);
  const bool labelled = shape.key.size > 0;
  if (!labelled && reading.series.empty()) {
    // Of the one series that there can be, zero is a statement: nothing was counted.
    rows.add({}, std::vector<std::uint64_t>(words_of(shape)), false);
  }
  if (labelled && !reading.other.empty()) rows.add({}, reading.other, true);
  if (!labelled || labels_may_meet(shape)) join_equal_labels(shape, family.series);
  return family;
}

std::vector<Family> merged(std::vector<Family> families) {
  std::stable_sort(families.begin(), families.end(),
                   [](const Family& left, const Family& right) { return left.name < right.name; });
  std::vector<Family> result;
  result.reserve(families.size());
  for (Family& family : families) {
    if (result.empty() || result.back().name != family.name) {
      result.push_back(std::move(family));
      continue;
    }
    Family& first = result.back();
    if (first.kind != family.kind || first.unit != family.unit) continue;
    if (first.help.empty()) first.help = std::move(family.help);
    first.series.insert(first.series.end(), std::make_move_iterator(family.series.begin()),
                        std::make_move_iterator(family.series.end()));
  }
  return result;
}

}  // namespace diagnose::metrics
