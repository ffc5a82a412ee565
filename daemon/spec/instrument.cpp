#include <algorithm>

#include "spec/parts.h"
#include "spec/scalar.h"

namespace diagnose::spec {
namespace {

using namespace std::string_view_literals;

constexpr std::int64_t most_chars = 65'536;  // of a log's text: a line for people

const Vocabulary& instrument_words() {
  static const Vocabulary words{
      .noun = "an instrument",
      .words = {"type", "name", "event", "value", "where", "labels", "operation", "buckets", "message", "sample",
                "unit", "help", "max_chars", "internal"},
      .later = {{"sinks", "leave it out: records go to those who follow with `diagnosectl events`"},
                {"format", "leave it out, or use `message:`"},
                {"quantiles", "use `type: histogram` and `histogram_quantile()` in Prometheus"},
                {"states", "use a counter with a label"},
                {"children", "give each function a probe with a histogram of `elapsed`"},
                {"spans", "give each function a probe with a histogram of `elapsed`"},
                {"metrics", "use several instruments"},
                {"identifiers", "use `labels:`"}}};
  return words;
}

void read_type(const Node& node, const Fields& fields, Instrument& instrument, Faults& faults) {
  static constexpr std::array<Choice<InstrumentType>, 7> types{{{"counter"sv, InstrumentType::counter},
                                                                {"gauge"sv, InstrumentType::gauge},
                                                                {"histogram"sv, InstrumentType::histogram},
                                                                {"log"sv, InstrumentType::log},
                                                                {"incr"sv, InstrumentType::counter},
                                                                {"count"sv, InstrumentType::counter},
                                                                {"hist"sv, InstrumentType::histogram}}};
  static const std::vector<Later> later{
      {"summary", "use `type: histogram` and `histogram_quantile()` in Prometheus"},
      {"info", "use `type: gauge` with `value: 1` and labels"},
      {"enum", "use `type: counter` with the state as a label"},
      {"trace", "use `type: log` with `event: return` and `message: 'took {elapsed}'`"}};
  const Node* written = fields.find("type");
  if (written == nullptr) {
    faults.add(node, "`type` is missing", "an instrument needs one",
               "add `type: counter`, `gauge`, `histogram` or `log`");
    return;
  }
  instrument.type = choice_of(*written, "type", types, later, faults).value_or(InstrumentType::counter);
}

// `event`, or `internal` of the older form.
void read_event(const Fields& fields, Instrument& instrument, Faults& faults) {
  static constexpr std::array<Choice<Event>, 4> events{
      {{"call"sv, Event::call}, {"return"sv, Event::return_}, {"error"sv, Event::error}, {"end"sv, Event::end}}};
  const Node* event = fields.find("event");
  const Node* internal = fields.find("internal");
  if (event != nullptr) instrument.event = choice_of(*event, "event", events, {}, faults);
  if (internal == nullptr) return;
  const auto is_internal = boolean_of(*internal, "internal", faults);
  if (event != nullptr) {
    faults.add(*internal, "`internal`", "`event` says the same", "remove `internal`, it is the older form");
  } else if (is_internal) {
    instrument.event = *is_internal ? Event::end : Event::return_;
  }
}

void read_operation(const Fields& fields, Instrument& instrument, Faults& faults) {
  static constexpr std::array<Choice<GaugeOperation>, 5> operations{{{"set"sv, GaugeOperation::set},
                                                                     {"inc"sv, GaugeOperation::inc},
                                                                     {"dec"sv, GaugeOperation::dec},
                                                                     {"min"sv, GaugeOperation::min},
                                                                     {"max"sv, GaugeOperation::max}}};
  const Node* node = fields.find("operation");
  if (node == nullptr) return;
  instrument.operation = choice_of(*node, "operation", operations, {}, faults).value_or(GaugeOperation::set);
}

std::uint32_t read_sample(const Node& node, Faults& faults) {
  const auto text = text_of(node, "sample", faults);
  if (!text) return 1;
  if (text->starts_with("1/")) {
    const auto every = integer_of(text->substr(2));
    if (every && *every >= 1 && *every <= std::numeric_limits<std::uint32_t>::max()) {
      return static_cast<std::uint32_t>(*every);
    }
  }
  faults.add(node, ticked("sample: " + *text), "is not one in N", "write `sample: 1/100`");
  return 1;
}

std::string read_unit(const Node& node, Faults& faults) {
  const auto unit = line_of(node, "unit", faults);
  if (!unit) return {};
  const bool plain = std::all_of(unit->begin(), unit->end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (plain && unit->front() >= 'a' && unit->front() <= 'z') return *unit;
  faults.add(node, ticked("unit: " + *unit),
             "it ends the metric's name, so it has lower-case letters, digits and `_` only",
             "write `unit: bytes` or `unit: seconds`");
  return {};
}

void read_texts(const Fields& fields, Instrument& instrument, Faults& faults) {
  if (const Node* name = fields.find("name")) {
    instrument.name.place = faults.place(*name);
    instrument.name.text = metric_name(*name, instrument.type, faults).value_or("");
  }
  if (const Node* value = fields.find("value")) instrument.value = expression_of(*value, "value", faults);
  if (const Node* where = fields.find("where")) instrument.where = expression_of(*where, "where", faults);
  if (const Node* labels = fields.find("labels")) instrument.labels = read_labels(*labels, faults);
  if (const Node* message = fields.find("message")) instrument.message = read_message(*message, faults);
  if (const Node* unit = fields.find("unit")) instrument.unit = read_unit(*unit, faults);
  if (const Node* help = fields.find("help")) instrument.help = text_of(*help, "help", faults).value_or("");
}

}  // namespace

Instrument read_instrument(const Node& node, Faults& faults) {
  Instrument instrument;
  instrument.place = faults.place(node);
  const Fields fields(node, instrument_words(), faults);
  if (node.kind != Node::Kind::mapping) return instrument;
  const std::size_t before = faults.count();
  read_type(node, fields, instrument, faults);
  const bool typed = faults.count() == before;
  read_event(fields, instrument, faults);
  read_operation(fields, instrument, faults);
  read_texts(fields, instrument, faults);
  if (const Node* buckets = fields.find("buckets")) instrument.buckets = read_buckets(*buckets, faults);
  if (const Node* sample = fields.find("sample")) instrument.sample_every = read_sample(*sample, faults);
  if (const Node* chars = fields.find("max_chars")) {
    const auto most = integer_of(*chars, "max_chars", 1, most_chars, faults);
    if (most) instrument.max_chars = static_cast<std::size_t>(*most);
  }
  // Without its type nothing can be said of what an instrument lacks.
  if (typed) check_instrument(node, fields, instrument, faults);
  return instrument;
}

std::vector<Instrument> read_instruments(const Node& probe_key, const Fields& probe, Faults& faults) {
  std::vector<Instrument> instruments;
  const Node* one = probe.find("instrument");
  const Node* many = probe.find("instruments");
  if (one == nullptr && many == nullptr) {
    faults.add(probe_key, "`instrument` is missing", "the probe " + ticked(probe_key.text) + " says nothing to measure",
               "add `instrument: {type: histogram, name: NAME, value: elapsed}`");
    return instruments;
  }
  if (one != nullptr && many != nullptr) {
    faults.add(*many, "`instruments`", "`instrument` stands beside it", "move that one into the list");
  }
  if (one != nullptr) {
    if (one->kind == Node::Kind::sequence) {
      faults.add(*one, "`instrument`", "must be one mapping, not a list", "write `instruments:` for a list");
    } else {
      instruments.push_back(read_instrument(*one, faults));
    }
  }
  if (many == nullptr) return instruments;
  if (many->kind != Node::Kind::sequence || many->items.empty()) {
    faults.add(*many, "`instruments`",
               many->kind == Node::Kind::sequence ? "the list is empty" : "must be a list, not " + kind_of(*many),
               "write each instrument behind a `-`, or use `instrument:` for one");
    return instruments;
  }
  if (many->items.size() > limits::instruments_per_probe) {
    faults.add(*many, "`instruments`",
               std::to_string(many->items.size()) + " of them, at most " +
                   std::to_string(limits::instruments_per_probe) + " fit a probe",
               "split them over several probes on the same function");
    return instruments;
  }
  for (const NodePtr& item : many->items) instruments.push_back(read_instrument(*item, faults));
  check_names(instruments, faults);
  return instruments;
}

}  // namespace diagnose::spec
