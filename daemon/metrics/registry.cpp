#include "metrics/registry.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace diagnose::metrics {
namespace {

// The id of `ID#NUMBER`.
std::string_view id_of(std::string_view key) {
  return key.substr(0, key.find('#'));
}

// Is `key` what `wanted` names: itself, or a life of that id?
bool names(std::string_view wanted, std::string_view key) {
  return key == wanted || id_of(key) == wanted;
}

const char* text(Kind kind) {
  switch (kind) {
    case Kind::counter:
      return "counter";
    case Kind::gauge:
      return "gauge";
    case Kind::histogram:
      return "histogram";
  }
  return "metric";
}

std::string described(const Shape& shape) {
  return std::string(text(shape.kind)) + (shape.unit.empty() ? "" : " in " + shape.unit);
}

// Every name that a family puts into an exposition, its own first.
std::vector<std::string> names_of(const Shape& shape) {
  switch (shape.kind) {
    case Kind::counter:
      return {shape.name, shape.name + "_total"};
    case Kind::gauge:
      return {shape.name};
    case Kind::histogram:
      return {shape.name, shape.name + "_bucket", shape.name + "_sum", shape.name + "_count"};
  }
  return {};
}

// A name that both would claim, or an empty string.
std::string shared_name(const Shape& left, const Shape& right) {
  const std::vector<std::string> theirs = names_of(right);
  for (const std::string& name : names_of(left)) {
    if (std::find(theirs.begin(), theirs.end(), name) != theirs.end()) return name;
  }
  return {};
}

std::vector<std::string> label_names(const Shape& shape) {
  std::vector<std::string> names;
  for (const auto& [name, value] : shape.constant_labels) names.push_back(name);
  for (const event::Column& column : shape.key.columns) names.push_back(column.name);
  return names;
}

tl::unexpected<Error> refusal(const std::string& probe, const Shape& shape, std::string why, std::string mend) {
  return failure({.what = "metric `" + shape.name + "`",
                  .where = std::string(id_of(probe)),
                  .why = std::move(why),
                  .mend = std::move(mend)});
}

Status check_alone(const std::string& probe, const Shape& shape) {
  constexpr std::string_view own_prefix = "diagnose_";
  if (shape.name.starts_with(own_prefix)) {
    return refusal(probe, shape, "names that begin with `diagnose_` are the daemon's own", "choose another name");
  }
  std::set<std::string> seen;
  for (const std::string& name : label_names(shape)) {
    if (shape.kind == Kind::histogram && name == "le") {
      return refusal(probe, shape, "a histogram's label `le` is the bucket's bound", "rename the label");
    }
    if (!seen.insert(name).second) {
      return refusal(probe, shape, "it has the label `" + name + "` twice; `probe` and custom tags are labels too",
                     "rename the label");
    }
  }
  return {};
}

Status check_beside(const std::string& probe, const Shape& shape, const std::string& other_probe, const Shape& other) {
  const std::string name = shared_name(shape, other);
  if (name.empty()) return {};
  const bool same_name = shape.name == other.name;
  const bool same_form = shape.kind == other.kind && shape.unit == other.unit;
  if (same_name && same_form) {
    if (id_of(probe) != id_of(other_probe)) return {};  // joined: their `probe` labels differ
    return refusal(probe, shape, "the probe has another instrument of that name", "give each instrument its own name");
  }
  return refusal(probe, shape,
                 (same_name ? "the name is taken" : "`" + name + "` is taken") + std::string(" by probe `") +
                     std::string(id_of(other_probe)) + "`, as a " + described(other) +
                     (same_name ? "" : " named `" + other.name + "`") + "; this is a " + described(shape),
                 "choose another name, or use the same type and unit in both");
}

}  // namespace

Status Registry::add(const std::string& probe, Shape shape, Read read) {
  if (Status alone = check_alone(probe, shape); !alone) return alone;
  const std::lock_guard lock(mutex_);
  const auto gives_way = [&](const Entry& entry) {
    return !entry.read && id_of(entry.probe) == id_of(probe) && entry.shape.name == shape.name;
  };
  for (const Entry& entry : entries_) {
    if (gives_way(entry)) continue;
    if (Status beside = check_beside(probe, shape, entry.probe, entry.shape); !beside) return beside;
  }
  std::erase_if(entries_, gives_way);
  Entry& entry = entries_.emplace_back();
  entry.probe = probe;
  entry.shape = std::move(shape);
  entry.read = std::move(read);
  return {};
}

void Registry::retire(const std::string& probe) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.probe != probe || !entry.read) continue;
    Result<Reading> reading = entry.read();
    if (reading) {
      entry.last = std::move(*reading);
    } else {
      entry.lost = true;
      ++entry.failed_reads;
    }
    entry.read = nullptr;  // lets go of the maps behind it
  }
}

void Registry::drop(const std::string& probe) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) { return names(probe, entry.probe); });
}

void Registry::add_own(std::function<std::vector<Family>()> make) {
  const std::lock_guard lock(mutex_);
  own_.push_back(std::move(make));
}

std::vector<Family> Registry::collect() {
  const std::lock_guard lock(mutex_);
  return collect_locked(nullptr);
}

std::vector<Family> Registry::collect(const std::string& probe) {
  const std::lock_guard lock(mutex_);
  return collect_locked(&probe);
}

std::vector<Family> Registry::collect_locked(const std::string* probe) {
  std::vector<Family> families;
  if (probe == nullptr) {
    for (const auto& make : own_) {
      for (Family& family : make()) families.push_back(std::move(family));
    }
  }
  for (Entry& entry : entries_) {
    if (entry.lost || (probe != nullptr && !names(*probe, entry.probe))) continue;
    if (!entry.read) {
      families.push_back(family_of(entry.shape, entry.last));
      continue;
    }
    if (const Result<Reading> reading = entry.read()) {
      families.push_back(family_of(entry.shape, *reading));
    } else {
      ++entry.failed_reads;
    }
  }
  if (probe == nullptr) families.push_back(failed_reads_locked());
  std::erase_if(families, [](const Family& family) { return family.series.empty(); });
  return merged(std::move(families));
}

Family Registry::failed_reads_locked() const {
  Family family{.name = "diagnose_probe_errors",
                .help = "Errors of a probe, by kind.",
                .unit = "",
                .kind = Kind::counter,
                .series = {}};
  std::map<std::string, std::uint64_t> by_probe;
  for (const Entry& entry : entries_) {
    if (entry.failed_reads > 0) by_probe[std::string(id_of(entry.probe))] += entry.failed_reads;
  }
  for (const auto& [probe, count] : by_probe) {
    Series& series = family.series.emplace_back();
    series.labels = {{"probe", probe}, {"kind", "read"}};
    series.value = static_cast<double>(count);
  }
  return family;
}

}  // namespace diagnose::metrics
