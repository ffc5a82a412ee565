// What the user wrote, checked and passive.  Every value that can be wrong later carries its place.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "base/units.h"
#include "lifespan/lifespan.h"

namespace diagnose::spec {

// A position in a spec file.  Lines and columns count from 1; 0 means unknown.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;

  [[nodiscard]] std::string text() const;  // FILE:LINE:COL
  friend bool operator==(const Place&, const Place&) = default;
};

// Text as written: an expression, a name, a pattern.
struct Text {
  std::string text;
  Place place;
};

// One thing wrong with a spec.  Shown as `FILE:LINE:COL: what: why: how to mend`.
struct Fault {
  Place place;
  std::string what;
  std::string why;
  std::string mend;
  std::string probe = {};  // the id of the probe that is dropped for it; empty: the file's

  [[nodiscard]] std::string text() const;
  [[nodiscard]] Error error() const;  // `where` is the place
};

enum class TargetBy { pid, exe, comm, all };
enum class PlaceBy { function, address, line, usdt };

struct Target {
  TargetBy by = TargetBy::all;
  std::vector<pid_t> pids;  // for `pid`
  std::string pattern;      // for `exe` (path or glob) and `comm`
  std::string module;       // soname, path or glob of the file that holds the place; empty: executable, then all
  std::string build_id;     // lower-case hex; empty: any
  PlaceBy place_by = PlaceBy::function;
  // By `place_by`: symbol, demangled name with or without parameters, glob, or `re:...`; the source file of a line;
  // "provider:name" of a marker; empty for an address.
  Text function;
  LinkAddress address{};   // for `address`
  std::uint32_t line = 0;  // for `line`, from 1
  bool inlined = true;     // `inline`: copies of a function in others count too
  Place place;

  [[nodiscard]] std::string text() const;  // short form for lists: "pid 12 ns::f", "/usr/bin/x:f"
  // The place in the code alone: "ns::f", "0x1234", "cart.cc:120", "python:line".
  [[nodiscard]] std::string place_text() const;
};

enum class InstrumentType { counter, gauge, histogram, log };
enum class Event { call, return_, error, end };  // `end`: return or error
enum class GaugeOperation { set, inc, dec, min, max };
enum class ReturnStrategy { automatic, trampoline, callers, sites };
enum class Aggregate { automatic, kernel, events };

struct Label {
  std::string name;  // a Prometheus label name
  Text expression;
};

// Upper bounds, ascending, without +Inf.  Where any was written with a unit of time all are nanoseconds.
struct Buckets {
  std::vector<double> bounds;
  bool in_time = false;
  Place place;
};

// A message's template "took {elapsed} for {str(path)}": texts.size() == expressions.size() + 1.
struct Message {
  std::vector<std::string> texts;
  std::vector<Text> expressions;
};

struct Instrument {
  InstrumentType type = InstrumentType::counter;
  Text name;                   // dots already underscores; empty only for log
  std::optional<Event> event;  // nullopt: the earliest at which everything mentioned is known
  std::optional<Text> value;   // nullopt: 1 for counter and inc/dec; elapsed for histogram
  std::optional<Text> where;
  std::vector<Label> labels;
  GaugeOperation operation = GaugeOperation::set;
  std::optional<Buckets> buckets;  // nullopt: the default for the value's unit
  std::optional<Message> message;  // log only
  std::uint32_t sample_every = 1;  // 1/N
  std::string unit;                // as written: "seconds", "bytes"; empty: by the value
  std::string help;
  std::size_t max_chars = 2000;  // of a log's text
  Place place;
};

struct Limits {
  std::optional<double> overhead;  // fraction of a core; nullopt: the daemon's default
  std::size_t series = limits::series_per_instrument;
  std::size_t string_bytes = limits::string_bytes;
  std::uint64_t records_per_second = limits::records_per_second;  // `rate`
  std::size_t frames = limits::frames_per_thread;                 // open calls of a thread
};

struct Probe {
  std::string id;
  Target target;
  std::vector<Instrument> instruments;
  lifespan::Lifespan lifespan;
  lifespan::Clock::time_point lastmodified;
  Limits limits;
  ReturnStrategy return_strategy = ReturnStrategy::automatic;
  Aggregate aggregate = Aggregate::automatic;
  bool enabled = true;
  nlohmann::json custom = nlohmann::json::object();
  nlohmann::json written;  // the probe's mapping as written: `status` shows it, a restart reads it back
  Place place;
};

// All that one file or message brought.  A probe with a fault is only in `faulty`; the others are usable.
struct Document {
  std::vector<Probe> probes;
  std::vector<std::string> faulty;  // ids whose spec has faults
  std::vector<Fault> faults;        // in the order of the file
};

}  // namespace diagnose::spec
