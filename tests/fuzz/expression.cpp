// Any text as an expression, at the call and at the return, as a number, a label and a condition.
#include <string>

#include "compile/evaluation.h"
#include "compile/parse.h"
#include "fuzz/fuzz.h"

using namespace diagnose;

namespace {

spec::Instrument instrument(spec::InstrumentType type, const std::string& text) {
  spec::Instrument made;
  made.type = type;
  made.name = {.text = "x", .place = {}};
  made.value = {.text = text, .place = {}};
  return made;
}

void try_it(const spec::Instrument& instrument, compile::Abi abi) {
  spec::Probe probe;
  probe.id = "fuzz";
  probe.instruments = {instrument};
  const auto evaluated = compile::evaluate(probe, {.abi = abi});
  for (const auto& fault : evaluated.faults) REQUIRE(!fault.text().empty());
  if (!evaluated.faults.empty()) return;
  REQUIRE(evaluated.probe.instruments.size() == 1);
  REQUIRE(!compile::listing(evaluated.probe.instruments.front().evaluate.instructions).empty());
}

}  // namespace

void fuzz(std::string_view input) {
  (void)compile::parse(input);
  const std::string text(input);
  for (const compile::Abi abi : {compile::Abi::system_v, compile::Abi::go}) {
    for (const auto event : {spec::Event::call, spec::Event::return_, spec::Event::error}) {
      auto value = instrument(spec::InstrumentType::gauge, text);
      value.event = event;
      try_it(value, abi);
      auto label = instrument(spec::InstrumentType::counter, "1");
      label.event = event;
      label.labels = {{.name = "l", .expression = {.text = text, .place = {}}}};
      try_it(label, abi);
      auto condition = instrument(spec::InstrumentType::counter, "1");
      condition.event = event;
      condition.where = {.text = text, .place = {}};
      try_it(condition, abi);
    }
  }
}
