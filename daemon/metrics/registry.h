// All series of all probes.  Kernel-folded series are read when somebody asks; folded records are kept here.  Both have
// the same form (words of a ledger) and are shown by the same code, so both ways give equal numbers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "event/layout.h"

namespace diagnose::metrics {

enum class Kind { counter, gauge, histogram };
enum class GaugeFold { set, add, min, max };

// What an instrument's series look like.  Plain data, fixed while the probe lives.
struct Shape {
  std::string name;  // Prometheus name without `_total`, with its unit suffix
  std::string help;
  std::string unit;  // "seconds", "bytes", ""
  Kind kind = Kind::counter;
  GaugeFold gauge = GaugeFold::set;
  double scale = 1;  // native unit -> shown: 1e-9 for nanoseconds
  bool value_is_signed = true;
  std::vector<std::int64_t> bounds;  // histogram, native unit, inclusive, ascending, without +Inf
  std::vector<double> shown_bounds;
  event::Layout key;                                                 // labels
  std::vector<std::pair<std::string, std::string>> constant_labels;  // `probe` first, then `custom.tags`
  std::size_t series_max = 0;                                        // beyond: `__other__`
};

// One series as words.  Counter: [value].  Gauge: [value, updates].  Histogram: [sum, bucket 0, ..., bucket +Inf], the
// buckets not cumulative.  Sums over CPUs are already made.
struct Folded {
  std::vector<std::byte> key;  // Shape::key's layout
  std::vector<std::uint64_t> words;
};

struct Reading {
  std::vector<Folded> series;
  std::vector<std::uint64_t> other;  // the series `__other__`; empty if nothing went there
};

[[nodiscard]] std::size_t words_of(const Shape& shape);

// Folds one value into words exactly as bpf/ does.  `updates == 0` marks a gauge never set.  A negative value never
// enters a counter; it is counted as refused where values are evaluated.
void fold(const Shape& shape, std::int64_t value, std::span<std::uint64_t> words);

// User-space twin of the kernel's maps, for `aggregate: events`.  Thread-safe: the loop adds, a scrape reads.
class Accumulator {
 public:
  explicit Accumulator(Shape shape) : shape_(std::move(shape)) {}
  void add(std::span<const std::byte> key, std::int64_t value);
  [[nodiscard]] Reading read() const;
  // Goes on where an earlier one of the same shape was read; before the first add().
  void resume(const Reading& reading);

 private:
  struct ByBytes {
    using is_transparent = void;
    bool operator()(std::span<const std::byte> left, std::span<const std::byte> right) const;
  };

  Shape shape_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // owned apart, so that the accumulator can move
  std::map<std::vector<std::byte>, std::vector<std::uint64_t>, ByBytes> series_;
  std::vector<std::uint64_t> other_;
};

// ---- what export/ shows ----

struct HistogramValue {
  std::vector<std::pair<double, std::uint64_t>> buckets;  // upper bound, cumulative count; +Inf last
  double sum = 0;
  std::uint64_t count = 0;
};

struct Series {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
  HistogramValue histogram;
};

struct Family {
  std::string name;  // counter: without `_total`
  std::string help;
  std::string unit;
  Kind kind = Kind::counter;
  std::vector<Series> series;
};

// Series whose keys read the same as labels (cut or mended text) become one: a scrape with a series twice is refused
// whole.
[[nodiscard]] Family family_of(const Shape& shape, const Reading& reading);

// Joins families of one name; the first one's kind, unit and help win, and a family of another kind or unit is left
// out. Order by name.
[[nodiscard]] std::vector<Family> merged(std::vector<Family> families);

// Thread-safe: the loop adds and retires, the HTTP thread collects.  Everything happens under one lock.
class Registry {
 public:
  using Read = std::function<Result<Reading>()>;

  // Fails if the name, or one that it brings along (`_total`, `_bucket`, `_sum`, `_count`), is taken with another kind
  // or unit, naming the probe that has it; if the probe has the name already; for `diagnose_*`; for labels that clash.
  // A retired instrument of the same probe and name gives way.
  // `probe` is the probe's id, or `ID#NUMBER` to tell one life of it from the next; `drop` and `collect` of an id alone
  // mean all of its lives.
  [[nodiscard]] Status add(const std::string& probe, Shape shape, Read read);

  // The probe ends: its series are read for the last time and kept until `drop`.  An instrument that cannot be read
  // then is shown no more.
  void retire(const std::string& probe);
  // Forgets the probe's series, retired or not.
  void drop(const std::string& probe);

  // Own families of the daemon, made afresh at each collect.  Called under the lock.
  void add_own(std::function<std::vector<Family>()> make);

  // An instrument whose Read fails is left out and counted in diagnose_probe_errors_total{probe,kind="read"}.
  [[nodiscard]] std::vector<Family> collect();
  // Only the series of one probe, for `status` and `attach --follow`.
  [[nodiscard]] std::vector<Family> collect(const std::string& probe);

 private:
  struct Entry {
    std::string probe;
    Shape shape;
    Read read;          // empty once retired
    Reading last;       // the final values once retired
    bool lost = false;  // the last reading failed: nothing to show
    std::uint64_t failed_reads = 0;
  };
  [[nodiscard]] std::vector<Family> collect_locked(const std::string* probe);
  [[nodiscard]] Family failed_reads_locked() const;

  std::mutex mutex_;
  std::vector<Entry> entries_;
  std::vector<std::function<std::vector<Family>()>> own_;
};

}  // namespace diagnose::metrics
