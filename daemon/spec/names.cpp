// Names that Prometheus will see: its data model's rules, OpenMetrics' reserved suffixes, and our own prefix.
#include <algorithm>

#include "spec/parts.h"

namespace diagnose::spec {
namespace {

bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_metric_name(std::string_view name) {
  const auto first = [](char c) { return letter(c) || c == ':'; };
  return !name.empty() && first(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return first(c) || digit(c); });
}

bool is_label_name(std::string_view name) {
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return letter(c) || digit(c); });
}

std::string without(const std::string& name, std::string_view suffix) {
  return name.substr(0, name.size() - suffix.size());
}

}  // namespace

std::optional<std::string> metric_name(const Node& node, InstrumentType type, Faults& faults) {
  auto name = line_of(node, "name", faults);
  if (!name) return std::nullopt;
  const std::string what = ticked("name: " + *name);
  std::replace(name->begin(), name->end(), '.', '_');
  if (!is_metric_name(*name)) {
    faults.add(node, what, "a metric's name has letters, digits, `_` and `.`, and begins with a letter",
               "write it like `shop.checkout`");
    return std::nullopt;
  }
  if (name->starts_with("diagnose_")) {
    faults.add(node, what, "names that begin with `diagnose` are the daemon's own", "choose another name");
    return std::nullopt;
  }
  if (type == InstrumentType::counter && name->ends_with("_total") && name->size() > 6)
    *name = without(*name, "_total");
  if (type == InstrumentType::log) return name;
  // OpenMetrics 1.0, "Suffixes": a family with such a name would meet another one's series.
  for (const std::string_view suffix : {"_total", "_created", "_bucket", "_sum", "_count", "_info"}) {
    if (!name->ends_with(suffix)) continue;
    const std::string rest = without(*name, suffix);
    faults.add(node, what, "names ending in `" + std::string(suffix) + "` have a meaning of their own in Prometheus",
               rest.empty() ? "choose another name" : "write " + ticked("name: " + rest));
    return std::nullopt;
  }
  return name;
}

bool check_label_name(const Node& key, std::string_view noun, Faults& faults) {
  const std::string what = "the " + std::string(noun) + " " + ticked(key.text);
  if (key.kind != Node::Kind::scalar || !is_label_name(key.text)) {
    faults.add(key, what, "its name has letters, digits and `_` only, and begins with no digit", "rename it");
    return false;
  }
  if (key.text == "probe" || key.text == "le" || key.text.starts_with("__")) {
    faults.add(key, what, "`probe`, `le` and names that begin with `__` are taken", "rename it");
    return false;
  }
  return true;
}

std::vector<Label> read_labels(const Node& node, Faults& faults) {
  std::vector<Label> labels;
  if (node.kind != Node::Kind::mapping) {
    faults.add(node, "`labels`", "must be a mapping, not " + kind_of(node), "write `labels: {name: expression}`");
    return labels;
  }
  if (node.entries.size() > limits::labels_per_instrument) {
    faults.add(node, "`labels`",
               std::to_string(node.entries.size()) + " of them, at most " +
                   std::to_string(limits::labels_per_instrument) + " are possible",
               "keep what tells series apart");
    return labels;
  }
  for (const Node::Entry& entry : node.entries) {
    if (entry.key->kind != Node::Kind::scalar) continue;  // has its fault already
    check_label_name(*entry.key, "label", faults);
    auto expression = expression_of(*entry.value, entry.key->text, faults);
    if (expression) labels.push_back({.name = entry.key->text, .expression = std::move(*expression)});
  }
  std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  return labels;
}

}  // namespace diagnose::spec
