#include <algorithm>
#include <cstring>

#include "metrics/registry.h"

namespace diagnose::metrics {
namespace {

bool below(const Shape& shape, std::int64_t left, std::int64_t right) {
  if (shape.value_is_signed) return left < right;
  return static_cast<std::uint64_t>(left) < static_cast<std::uint64_t>(right);
}

// The first bucket whose bound is not below `value`; +Inf is the last.  A negative bound is below every unsigned value.
std::size_t bucket_of(const Shape& shape, std::int64_t value) {
  const auto holds_not = [&](std::int64_t bound, std::int64_t sought) {
    if (shape.value_is_signed || bound >= 0) return below(shape, bound, sought);
    return true;
  };
  const auto found = std::lower_bound(shape.bounds.begin(), shape.bounds.end(), value, holds_not);
  return static_cast<std::size_t>(found - shape.bounds.begin());
}

// Two's complement, so one addition serves both signs, as in the kernel.
void add_to(std::uint64_t& word, std::int64_t value) {
  word += static_cast<std::uint64_t>(value);
}

void fold_gauge(const Shape& shape, std::int64_t value, std::span<std::uint64_t> words) {
  const auto now = static_cast<std::int64_t>(words[0]);
  const bool first = words[1] == 0;
  switch (shape.gauge) {
    case GaugeFold::set:
      words[0] = static_cast<std::uint64_t>(value);
      break;
    case GaugeFold::add:
      add_to(words[0], value);
      break;
    case GaugeFold::min:
      if (first || below(shape, value, now)) words[0] = static_cast<std::uint64_t>(value);
      break;
    case GaugeFold::max:
      if (first || below(shape, now, value)) words[0] = static_cast<std::uint64_t>(value);
      break;
  }
  ++words[1];
}

bool refused(const Shape& shape, std::int64_t value) {
  return shape.kind == Kind::counter && shape.value_is_signed && value < 0;
}

}  // namespace

std::size_t words_of(const Shape& shape) {
  switch (shape.kind) {
    case Kind::counter:
      return 1;
    case Kind::gauge:
      return 2;
    case Kind::histogram:
      return shape.bounds.size() + 2;
  }
  return 0;
}

void fold(const Shape& shape, std::int64_t value, std::span<std::uint64_t> words) {
  if (words.size() < words_of(shape) || refused(shape, value)) return;
  switch (shape.kind) {
    case Kind::counter:
      add_to(words[0], value);
      return;
    case Kind::gauge:
      fold_gauge(shape, value, words);
      return;
    case Kind::histogram:
      add_to(words[0], value);
      ++words[1 + bucket_of(shape, value)];
      return;
  }
}

bool Accumulator::ByBytes::operator()(std::span<const std::byte> left, std::span<const std::byte> right) const {
  const std::size_t shared = std::min(left.size(), right.size());
  const int order = shared == 0 ? 0 : std::memcmp(left.data(), right.data(), shared);
  return order != 0 ? order < 0 : left.size() < right.size();
}

void Accumulator::add(std::span<const std::byte> key, std::int64_t value) {
  if (refused(shape_, value)) return;  // before a series is made for it
  const std::lock_guard lock(*mutex_);
  auto found = series_.find(key);
  if (found == series_.end()) {
    const bool labelled = shape_.key.size > 0;
    if (labelled && series_.size() >= shape_.series_max) {
      other_.resize(words_of(shape_));
      fold(shape_, value, other_);
      return;
    }
    found =
        series_.emplace(std::vector<std::byte>(key.begin(), key.end()), std::vector<std::uint64_t>(words_of(shape_)))
            .first;
  }
  fold(shape_, value, found->second);
}

void Accumulator::resume(const Reading& reading) {
  const std::lock_guard lock(*mutex_);
  for (const Folded& series : reading.series) {
    if (series.words.size() == words_of(shape_)) series_[series.key] = series.words;
  }
  if (reading.other.size() == words_of(shape_)) other_ = reading.other;
}

Reading Accumulator::read() const {
  const std::lock_guard lock(*mutex_);
  Reading reading;
  reading.series.reserve(series_.size());
  for (const auto& [key, words] : series_) reading.series.push_back({.key = key, .words = words});
  reading.other = other_;
  return reading;
}

}  // namespace diagnose::metrics
