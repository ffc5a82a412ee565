// What the parts of one instrument say to each other.
#include <algorithm>

#include "spec/parts.h"

namespace diagnose::spec {
namespace {

const char* name_of(InstrumentType type) {
  switch (type) {
    case InstrumentType::counter:
      return "counter";
    case InstrumentType::gauge:
      return "gauge";
    case InstrumentType::histogram:
      return "histogram";
    case InstrumentType::log:
      return "log";
  }
  return "";
}

void check_belongs(const Fields& fields, const Instrument& instrument, Faults& faults) {
  struct Owned {
    std::string_view key;
    InstrumentType type;
  };
  static constexpr std::array<Owned, 4> owned{{{"operation", InstrumentType::gauge},
                                               {"buckets", InstrumentType::histogram},
                                               {"message", InstrumentType::log},
                                               {"max_chars", InstrumentType::log}}};
  for (const Owned& one : owned) {
    const Node* node = fields.find(one.key);
    if (node == nullptr || one.type == instrument.type) continue;
    const std::string key(one.key);
    faults.add(*node, "`" + key + "`", std::string("a ") + name_of(instrument.type) + " has none",
               std::string("remove it, or write `type: ") + name_of(one.type) + "`");
  }
}

void check_needs(const Node& node, const Fields& fields, const Instrument& instrument, Faults& faults) {
  const bool has_value = fields.find("value") != nullptr;
  const std::string type = name_of(instrument.type);
  if (instrument.type != InstrumentType::log && fields.find("name") == nullptr) {
    faults.add(node, "`name` is missing", "a " + type + " needs one: it becomes the metric's name",
               "add a name, as in `name: shop.checkout`");
  }
  if (instrument.type == InstrumentType::log && !has_value && fields.find("message") == nullptr) {
    faults.add(node, "the log has nothing to say", "neither `value` nor `message` stands",
               "add `value: arg0`, or `message: 'took {elapsed}'`");
  }
  const bool steps = instrument.operation == GaugeOperation::inc || instrument.operation == GaugeOperation::dec;
  if (instrument.type == InstrumentType::gauge && !steps && !has_value) {
    faults.add(node, "`value` is missing", "a gauge needs one, but for `operation: inc` and `dec`",
               "add a value, as in `value: arg0`");
  }
}

bool same_series(const Instrument& a, const Instrument& b) {
  if (a.name.text != b.name.text || a.type != b.type) return false;
  return std::equal(a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end(),
                    [](const Label& one, const Label& other) { return one.name == other.name; });
}

}  // namespace

void check_instrument(const Node& node, const Fields& fields, const Instrument& instrument, Faults& faults) {
  check_belongs(fields, instrument, faults);
  check_needs(node, fields, instrument, faults);
}

void check_names(const std::vector<Instrument>& instruments, Faults& faults) {
  for (auto one = instruments.begin(); one != instruments.end(); ++one) {
    if (one->type == InstrumentType::log || one->name.text.empty()) continue;
    const bool taken =
        std::any_of(instruments.begin(), one, [&](const Instrument& other) { return same_series(*one, other); });
    if (!taken) continue;
    faults.add({.place = one->name.place,
                .what = "the name " + ticked(one->name.text),
                .why = "another " + std::string(name_of(one->type)) + " of this probe has it, with the same labels",
                .mend = "rename one"});
  }
}

}  // namespace diagnose::spec
