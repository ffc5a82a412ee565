#include <algorithm>

#include "spec/parts.h"
#include "spec/scalar.h"

namespace diagnose::spec {
namespace {

const Vocabulary& probe_words() {
  static const Vocabulary words{
      .noun = "a probe",
      .words = {"target", "instrument", "instruments", "lifespan", "lastmodified", "limits", "return", "aggregate",
                "enabled", "custom", "applied"},
      .later = {{"sinks", "leave it out: records go to those who follow with `diagnosectl events`"}}};
  return words;
}

const Vocabulary& limit_words() {
  static const Vocabulary words{
      .noun = "`limits`", .words = {"series", "string", "overhead", "rate", "frames"}, .later = {}};
  return words;
}

// "10000/s"; 0 is the default.
void read_rate(const Node& node, Limits& limits, Faults& faults) {
  const auto text = text_of(node, "rate", faults);
  if (!text) return;
  std::optional<std::int64_t> number;
  if (*text == "0") number = 0;
  if (text->ends_with("/s")) number = integer_of(text->substr(0, text->size() - 2));
  const auto most = static_cast<std::int64_t>(limits::records_per_second);
  if (!number || *number < 0 || *number > most) {
    faults.add(node, ticked("rate: " + *text), "is no number of records a second, at most " + std::to_string(most),
               "write `rate: 10000/s`");
  } else if (*number > 0) {
    limits.records_per_second = static_cast<std::uint64_t>(*number);
  }
}

Limits read_limits(const Node& node, Faults& faults) {
  Limits limits;
  const Fields fields(node, limit_words(), faults);
  const auto bounded = [&](std::string_view key, std::size_t most, std::size_t& value) {
    const Node* written = fields.find(key);
    if (written == nullptr) return;
    const auto number = integer_of(*written, key, 1, static_cast<std::int64_t>(most), faults);
    if (number) value = static_cast<std::size_t>(*number);
  };
  bounded("series", limits::series_per_host, limits.series);
  bounded("string", limits::string_bytes, limits.string_bytes);
  bounded("frames", limits::frames_per_thread, limits.frames);
  if (const Node* written = fields.find("rate")) read_rate(*written, limits, faults);
  if (const Node* written = fields.find("overhead")) limits.overhead = share_of(*written, "overhead", faults);
  return limits;
}

void read_end(const Fields& fields, Probe& probe, Faults& faults) {
  const auto text = [&](std::string_view key) -> std::optional<std::string> {
    const Node* node = fields.find(key);
    return node == nullptr ? std::nullopt : line_of(*node, key, faults);
  };
  const auto refused = [&](std::string_view key, const Error& error) {
    faults.add(*fields.find(key), error.what, error.why, error.mend);
  };
  if (const auto written = text("lifespan")) {
    if (const auto parsed = lifespan::parse(*written)) {
      probe.lifespan = *parsed;
    } else {
      refused("lifespan", parsed.error());
    }
  }
  if (const auto written = text("lastmodified")) {
    if (const auto parsed = lifespan::parse_rfc3339(*written)) {
      probe.lastmodified = *parsed;
    } else {
      refused("lastmodified", parsed.error());
    }
  }
}

void read_choices(const Fields& fields, Probe& probe, Faults& faults) {
  using namespace std::string_view_literals;
  static constexpr std::array<Choice<ReturnStrategy>, 4> strategies{{{"auto"sv, ReturnStrategy::automatic},
                                                                     {"trampoline"sv, ReturnStrategy::trampoline},
                                                                     {"callers"sv, ReturnStrategy::callers},
                                                                     {"sites"sv, ReturnStrategy::sites}}};
  static constexpr std::array<Choice<Aggregate>, 3> aggregates{
      {{"auto"sv, Aggregate::automatic}, {"kernel"sv, Aggregate::kernel}, {"events"sv, Aggregate::events}}};
  if (const Node* node = fields.find("return")) {
    probe.return_strategy = choice_of(*node, "return", strategies, {}, faults).value_or(ReturnStrategy{});
  }
  if (const Node* node = fields.find("aggregate")) {
    probe.aggregate = choice_of(*node, "aggregate", aggregates, {}, faults).value_or(Aggregate{});
  }
  if (const Node* node = fields.find("enabled")) probe.enabled = boolean_of(*node, "enabled", faults).value_or(true);
}

// `custom.tags` become labels of every instrument.
void check_tags(const Node& tags, const std::vector<Instrument>& instruments, Faults& faults) {
  if (tags.kind != Node::Kind::mapping) {
    faults.add(tags, "`custom.tags`", "must be a mapping, not " + kind_of(tags), "write `tags: {team: shop}`");
    return;
  }
  if (tags.entries.size() > limits::labels_per_instrument) {
    faults.add(tags, "`custom.tags`", "more than " + std::to_string(limits::labels_per_instrument) + " tags",
               "keep what tells series apart, move the rest to `custom`");
  }
  for (const Node::Entry& tag : tags.entries) {
    if (tag.value->kind != Node::Kind::scalar) {
      faults.add(*tag.value, "the tag " + ticked(tag.key->text), "must be text, not " + kind_of(*tag.value),
                 "write " + ticked(tag.key->text + ": text") + ", or move it out of `tags`");
    }
    if (!check_label_name(*tag.key, "tag", faults)) continue;
    const bool taken = std::any_of(instruments.begin(), instruments.end(), [&](const Instrument& instrument) {
      return std::any_of(instrument.labels.begin(), instrument.labels.end(),
                         [&](const Label& label) { return label.name == tag.key->text; });
    });
    if (taken)
      faults.add(*tag.key, "the tag " + ticked(tag.key->text), "an instrument has a label of that name", "rename one");
  }
}

void read_custom(const Node& node, Probe& probe, Faults& faults) {
  if (node.kind != Node::Kind::mapping) {
    faults.add(node, "`custom`", "must be a mapping, not " + kind_of(node), "write `custom: {owner: me}`");
    return;
  }
  for (const Node::Entry& entry : node.entries) {
    if (entry.key->text == "tags") check_tags(*entry.value, probe.instruments, faults);
  }
  probe.custom = to_json(node, Numbers::as_typed);
}

// `written` goes to the state directory and must be readable from there.
void keep_written(const Node& key, const Node& node, Probe& probe, Faults& faults) {
  constexpr std::size_t envelope = 256;  // {"probes":{"ID": }}
  probe.written = to_json(node, Numbers::as_written);
  probe.written.erase("applied");
  if (!probe.custom.empty()) probe.written["custom"] = probe.custom;
  if (probe.written.dump().size() + envelope <= limits::spec_file_bytes) return;
  faults.add(key, "the probe " + ticked(probe.id), "too large with its aliases followed",
             "shorten `custom`, or use fewer aliases");
}

}  // namespace

Probe read_probe(const std::string& id, const Node& key, const Node& node, lifespan::Clock::time_point lastmodified,
                 Faults& faults) {
  Probe probe;
  probe.id = id;
  probe.lastmodified = lastmodified;
  probe.place = faults.place(key);
  const std::size_t before = faults.count();
  const Fields fields(node, probe_words(), faults);
  if (node.kind != Node::Kind::mapping) return probe;
  check_keys(node, faults);

  if (const Node* target = fields.find("target")) {
    probe.target = read_target(*target, faults);
  } else {
    faults.add(key, "`target` is missing", "the probe " + ticked(id) + " says nothing to watch",
               "add `target: {exe: /path/of/program, function: name}`");
  }
  probe.instruments = read_instruments(key, fields, faults);
  read_end(fields, probe, faults);
  read_choices(fields, probe, faults);
  if (const Node* written = fields.find("limits")) probe.limits = read_limits(*written, faults);
  if (const Node* custom = fields.find("custom")) read_custom(*custom, probe, faults);
  if (faults.count() == before) keep_written(key, node, probe, faults);
  return probe;
}

}  // namespace diagnose::spec
