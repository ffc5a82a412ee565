#include "app/folding.h"

#include <utility>

#include "event/layout.h"

namespace diagnose::app {
namespace {

metrics::Kind kind_of(spec::InstrumentType type) {
  switch (type) {
    case spec::InstrumentType::histogram:
      return metrics::Kind::histogram;
    case spec::InstrumentType::gauge:
      return metrics::Kind::gauge;
    case spec::InstrumentType::counter:
    case spec::InstrumentType::log:
      break;
  }
  return metrics::Kind::counter;
}

metrics::GaugeFold fold_of(spec::GaugeOperation operation) {
  switch (operation) {
    case spec::GaugeOperation::set:
      return metrics::GaugeFold::set;
    case spec::GaugeOperation::inc:
    case spec::GaugeOperation::dec:
      return metrics::GaugeFold::add;
    case spec::GaugeOperation::min:
      return metrics::GaugeFold::min;
    case spec::GaugeOperation::max:
      return metrics::GaugeFold::max;
  }
  return metrics::GaugeFold::set;
}

std::string default_help(const spec::Probe& probe, const spec::Instrument& instrument) {
  const std::string value = instrument.value ? instrument.value->text : "";
  const std::string hits = probe.target.place_by == spec::PlaceBy::function ? "calls of " : "hits of ";
  switch (instrument.type) {
    case spec::InstrumentType::counter:
      return value.empty() || value == "1"
                 ? (hits == "calls of " ? "Calls of " : "Hits of ") + probe.target.place_text() + "."
                 : "Sum of " + value + " over the " + hits + probe.target.place_text() + ".";
    case spec::InstrumentType::histogram:
      return "Distribution of " + (value.empty() ? "elapsed" : value) + " in " + probe.target.place_text() + ".";
    case spec::InstrumentType::gauge:
      return (value.empty() ? "Level" : value) + " in " + probe.target.place_text() + ".";
    case spec::InstrumentType::log:
      break;
  }
  return probe.target.place_text();
}

}  // namespace

metrics::Shape shape_of(const spec::Probe& probe, const spec::Instrument& instrument,
                        const compile::Evaluation& evaluation) {
  metrics::Shape shape;
  shape.kind = kind_of(instrument.type);
  shape.gauge = fold_of(instrument.operation);
  shape.unit = evaluation.unit_is_time ? "seconds" : instrument.unit;
  shape.name = instrument.name.text;
  const std::string suffix = "_" + shape.unit;
  if (!shape.unit.empty() && !shape.name.ends_with(suffix)) shape.name += suffix;
  shape.help = instrument.help.empty() ? default_help(probe, instrument) : instrument.help;
  shape.scale = evaluation.unit_is_time ? 1e-9 : 1;
  shape.value_is_signed = evaluation.value_is_signed;
  shape.bounds = evaluation.bounds;
  shape.shown_bounds = evaluation.shown_bounds;
  shape.key = evaluation.key;
  shape.constant_labels = {{"probe", probe.id}};
  if (probe.custom.contains("tags") && probe.custom["tags"].is_object()) {
    for (const auto& [name, value] : probe.custom["tags"].items()) {
      shape.constant_labels.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  shape.series_max = probe.limits.series;
  return shape;
}

metrics::Reading reading_of(attach::InstrumentWords words) {
  metrics::Reading reading;
  reading.series.reserve(words.series.size());
  for (auto& series : words.series) reading.series.push_back({std::move(series.key), std::move(series.words)});
  reading.other = std::move(words.other);
  return reading;
}

}  // namespace diagnose::app
