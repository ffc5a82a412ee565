#include <cmath>

#include "spec/parts.h"
#include "spec/scalar.h"

namespace diagnose::spec {
namespace {

constexpr double most = 9.2e18;  // bounds become signed 64-bit words

const Vocabulary& shape_words() {
  static const Vocabulary words{.noun = "`buckets`",
                                .words = {"exponential", "linear", "explicit"},
                                .later = {{"log", "use `exponential: {start: 1us, factor: 2, count: 24}`"}}};
  return words;
}

// One number of the buckets, in nanoseconds if it was written with a unit of time.
struct Bound {
  double value = 0;
  bool has_unit = false;
  const Node* node = nullptr;
};

std::optional<double> nanoseconds_in(std::string_view unit) {
  struct Unit {
    std::string_view name;
    double ns;
  };
  static constexpr std::array<Unit, 7> units{
      {{"ns", 1}, {"us", 1e3}, {"\u00b5s", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  for (const Unit& known : units) {
    if (known.name == unit) return known.ns;
  }
  return std::nullopt;
}

std::optional<Bound> read_bound(const Node& node, std::string_view key, Faults& faults) {
  const auto text = text_of(node, key, faults);
  if (!text) return std::nullopt;
  if (const auto number = number_of(*text); number && std::abs(*number) <= most) return Bound{*number, false, &node};
  // `1e3s` is 1000 seconds: the unit begins behind the last digit.
  const std::size_t digits = text->find_last_of("0123456789.") + 1;
  const std::size_t unit = text->find_first_not_of(' ', digits);
  if (digits > 0 && unit != std::string::npos) {
    const auto number = number_of(std::string_view(*text).substr(0, digits));
    const auto scale = nanoseconds_in(std::string_view(*text).substr(unit));
    if (number && scale && std::abs(*number * *scale) <= most) return Bound{*number * *scale, true, &node};
  }
  faults.add(node, ticked(std::string(key) + ": " + *text), "is not a number, nor a time, in 64 bits",
             "write `100`, or with one of the units ns, us, ms, s, m, h: `250us`");
  return std::nullopt;
}

// Either all numbers are times or none; zero is both.
bool in_time(const std::vector<Bound>& bounds, Faults& faults) {
  bool any = false;
  for (const Bound& bound : bounds) any = any || bound.has_unit;
  if (!any) return false;
  for (const Bound& bound : bounds) {
    if (bound.has_unit || bound.value == 0) continue;
    faults.add(*bound.node, ticked(bound.node->text), "has no unit, and others here have one",
               "write " + ticked(bound.node->text + "ns") + ", or whichever unit is meant");
  }
  return true;
}

const Node* required(const Node& shape, const Fields& fields, std::string_view key, std::string_view form,
                     Faults& faults) {
  const Node* found = fields.find(key);
  if (found == nullptr) {
    faults.add(shape, "`" + std::string(key) + "` is missing", "these buckets need it",
               "write `" + std::string(form) + "`");
  }
  return found;
}

std::optional<std::size_t> read_count(const Node& node, Faults& faults) {
  const auto count = integer_of(node, "count", 1, static_cast<std::int64_t>(limits::buckets), faults);
  return count ? std::optional(static_cast<std::size_t>(*count)) : std::nullopt;
}

// 0 after a fault.
double read_factor(const Node& node, Faults& faults) {
  const auto text = text_of(node, "factor", faults);
  if (!text) return 0;
  const double factor = number_of(*text).value_or(0);
  if (factor > 1) return factor;
  faults.add(node, ticked("factor: " + *text), "must be a number greater than one", "write `factor: 2`");
  return 0;
}

void check_last(const Node& shape, const Buckets& buckets, Faults& faults) {
  if (std::abs(buckets.bounds.back()) <= most) return;
  faults.add(shape, "`buckets`", "the last bounds do not fit in 64 bits", "use a smaller count, factor or width");
}

void read_exponential(const Node& shape, Buckets& buckets, Faults& faults) {
  constexpr std::string_view form = "exponential: {start: 1us, factor: 2, count: 24}";
  static const Vocabulary words{.noun = "`exponential`", .words = {"start", "factor", "count"}, .later = {}};
  const Fields fields(shape, words, faults);
  if (shape.kind != Node::Kind::mapping) return;
  const Node* start_node = required(shape, fields, "start", form, faults);
  const Node* factor_node = required(shape, fields, "factor", form, faults);
  const Node* count_node = required(shape, fields, "count", form, faults);
  if (start_node == nullptr || factor_node == nullptr || count_node == nullptr) return;
  const auto start = read_bound(*start_node, "start", faults);
  const double factor = read_factor(*factor_node, faults);
  const auto count = read_count(*count_node, faults);
  if (start && start->value <= 0) {
    faults.add(*start_node, ticked("start: " + start_node->text), "must be greater than zero",
               "write `start: 1us` or `start: 1`");
  }
  if (!start || !count || start->value <= 0 || factor <= 1) return;
  buckets.in_time = start->has_unit;
  for (std::size_t i = 0; i < *count; ++i) {
    buckets.bounds.push_back(start->value * std::pow(factor, static_cast<double>(i)));
  }
  check_last(shape, buckets, faults);
}

void read_linear(const Node& shape, Buckets& buckets, Faults& faults) {
  constexpr std::string_view form = "linear: {start: 10ms, width: 10ms, count: 20}";
  static const Vocabulary words{.noun = "`linear`", .words = {"start", "width", "count"}, .later = {}};
  const Fields fields(shape, words, faults);
  if (shape.kind != Node::Kind::mapping) return;
  const Node* start_node = required(shape, fields, "start", form, faults);
  const Node* width_node = required(shape, fields, "width", form, faults);
  const Node* count_node = required(shape, fields, "count", form, faults);
  if (start_node == nullptr || width_node == nullptr || count_node == nullptr) return;
  const auto start = read_bound(*start_node, "start", faults);
  const auto width = read_bound(*width_node, "width", faults);
  const auto count = read_count(*count_node, faults);
  if (width && width->value <= 0) {
    faults.add(*width_node, ticked("width: " + width_node->text), "must be greater than zero",
               "write `width: 10ms` or `width: 10`");
    return;
  }
  if (!start || !width || !count) return;
  buckets.in_time = in_time({*start, *width}, faults);
  for (std::size_t i = 0; i < *count; ++i) {
    buckets.bounds.push_back(start->value + width->value * static_cast<double>(i));
  }
  check_last(shape, buckets, faults);
}

void read_explicit(const Node& shape, Buckets& buckets, Faults& faults) {
  if (shape.kind != Node::Kind::sequence || shape.items.empty() || shape.items.size() > limits::buckets) {
    faults.add(shape, "`explicit`",
               shape.kind != Node::Kind::sequence ? "must be a list, not " + kind_of(shape)
                                                  : std::to_string(shape.items.size()) + " bounds, 1 to " +
                                                        std::to_string(limits::buckets) + " are possible",
               "write `explicit: [1ms, 10ms, 100ms]`");
    return;
  }
  std::vector<Bound> bounds;
  for (const NodePtr& item : shape.items) {
    if (const auto bound = read_bound(*item, "explicit", faults)) bounds.push_back(*bound);
  }
  if (bounds.size() < shape.items.size()) return;
  const std::size_t before = faults.count();
  buckets.in_time = in_time(bounds, faults);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    buckets.bounds.push_back(bounds[i].value);
    if (i == 0 || bounds[i].value > bounds[i - 1].value || faults.count() != before) continue;
    faults.add(*bounds[i].node, ticked(bounds[i].node->text), "bounds must ascend, and the one before is no smaller",
               "sort the bounds and keep each once");
  }
}

}  // namespace

std::optional<Buckets> read_buckets(const Node& node, Faults& faults) {
  const std::size_t before = faults.count();
  Buckets buckets;
  buckets.place = faults.place(node);
  const Fields fields(node, shape_words(), faults);
  if (node.kind != Node::Kind::mapping) return std::nullopt;
  if (node.entries.size() != 1) {
    faults.add(node, "`buckets`", "exactly one of `exponential`, `linear` and `explicit` must stand",
               "write `buckets: {exponential: {start: 1us, factor: 2, count: 24}}`");
  }
  if (const Node* shape = fields.find("exponential")) {
    read_exponential(*shape, buckets, faults);
  } else if (const Node* linear = fields.find("linear")) {
    read_linear(*linear, buckets, faults);
  } else if (const Node* listed = fields.find("explicit")) {
    read_explicit(*listed, buckets, faults);
  }
  if (faults.count() != before) return std::nullopt;
  return buckets;
}

}  // namespace diagnose::spec
