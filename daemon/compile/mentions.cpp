#include "compile/mentions.h"

namespace diagnose::compile {
namespace {

void walk(const Node& node, const std::function<void(const Node&)>& visit) {
  visit(node);
  for (const auto& child : node.children) walk(*child, visit);
}

bool wants_end(const spec::Instrument& instrument, bool mentions_end) {
  if (instrument.event) return *instrument.event != spec::Event::call;
  return mentions_end || (instrument.type == spec::InstrumentType::histogram && !instrument.value);
}

}  // namespace

void each_node(const spec::Instrument& instrument, const std::function<void(const Node&)>& visit) {
  const auto expression = [&](const spec::Text& text) {
    if (const auto tree = parse(text.text)) walk(**tree, visit);
  };
  if (instrument.where) expression(*instrument.where);
  if (instrument.value) expression(*instrument.value);
  for (const spec::Label& label : instrument.labels) expression(label.expression);
  if (!instrument.message) return;
  for (const spec::Text& field : instrument.message->expressions) expression(field);
}

Mentions mentions_of(const spec::Probe& probe) {
  Mentions all;
  for (const spec::Instrument& instrument : probe.instruments) {
    bool ends = false;
    each_node(instrument, [&](const Node& node) {
      if (node.kind != NodeKind::name) return;
      ends = ends || node.text == "result" || node.text == "elapsed" || node.text == "error";
    });
    all.end = all.end || wants_end(instrument, ends);
  }
  return all;
}

}  // namespace diagnose::compile
