#include "spec/fields.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>

#include "spec/scalar.h"

namespace diagnose::spec {
namespace {

std::string key_name(std::string_view key) {
  return ticked(key);
}
std::string key_with(std::string_view key, const Node& node) {
  return ticked(std::string(key) + ": " + node.text);
}

const Later* later_word(const Vocabulary& vocabulary, std::string_view word) {
  const auto found = std::find_if(vocabulary.later.begin(), vocabulary.later.end(),
                                  [&](const Later& later) { return later.word == word; });
  return found == vocabulary.later.end() ? nullptr : &*found;
}

bool knows(const Vocabulary& vocabulary, std::string_view word) {
  return std::find(vocabulary.words.begin(), vocabulary.words.end(), word) != vocabulary.words.end();
}

void check_word(const Node& key, const Vocabulary& vocabulary, Faults& faults) {
  if (key.kind != Node::Kind::scalar || knows(vocabulary, key.text)) return;
  if (const Later* later = later_word(vocabulary, key.text)) {
    faults.add(key, ticked(key.text), "not in this version", later->mend);
    return;
  }
  if (key.text == "<<") {
    faults.add(key, "`<<`", "merge keys are not part of YAML 1.2",
               "write the keys out, or use an alias for a whole value");
    return;
  }
  faults.add(key, "unknown key " + ticked(key.text), vocabulary.noun + " has no such key",
             suggestion(key.text, vocabulary.words));
}

}  // namespace

void Faults::add(const Node& at, std::string what, std::string why, std::string mend) {
  faults_.push_back(
      {.place = place(at), .what = std::move(what), .why = std::move(why), .mend = std::move(mend), .probe = probe_});
}

std::vector<Fault> Faults::taken() {
  const auto order = [](const Fault& fault) { return std::tie(fault.place.line, fault.place.column); };
  const auto everything = [](const Fault& fault) {
    return std::tie(fault.place.line, fault.place.column, fault.what, fault.why, fault.mend);
  };
  std::stable_sort(faults_.begin(), faults_.end(), [&](const Fault& a, const Fault& b) { return order(a) < order(b); });
  std::vector<Fault> once;
  std::set<std::tuple<int, int, std::string, std::string, std::string>> seen;
  for (Fault& fault : faults_) {
    if (seen.insert(everything(fault)).second) once.push_back(std::move(fault));
  }
  faults_.clear();
  return once;
}

Fields::Fields(const Node& node, const Vocabulary& vocabulary, Faults& faults) : node_(node) {
  if (node.kind != Node::Kind::mapping) {
    faults.add(node, vocabulary.noun, "must be a mapping, not " + kind_of(node),
               "write `key: value` lines; the keys are " + one_of(vocabulary.words));
    return;
  }
  for (const Node::Entry& entry : node.entries) check_word(*entry.key, vocabulary, faults);
}

const Node* Fields::find(std::string_view key) const {
  for (const Node::Entry& entry : node_.entries) {
    if (entry.key->kind == Node::Kind::scalar && entry.key->text == key) return entry.value.get();
  }
  return nullptr;
}

void check_keys(const Node& tree, Faults& faults) {
  std::set<std::string_view> seen;
  for (const Node::Entry& entry : tree.entries) {
    if (entry.key->kind != Node::Kind::scalar) {
      faults.add(*entry.key, "a key", "must be text, not " + kind_of(*entry.key), "write `key: value`");
    } else if (!seen.insert(entry.key->text).second) {
      faults.add(*entry.key, "the key " + ticked(entry.key->text), "stands twice in one mapping", "remove one");
    }
    check_keys(*entry.value, faults);
  }
  for (const NodePtr& item : tree.items) check_keys(*item, faults);
}

std::optional<std::string> text_of(const Node& node, std::string_view key, Faults& faults) {
  if (node.kind != Node::Kind::scalar) {
    faults.add(node, key_name(key), "must be text, not " + kind_of(node),
               node.kind == Node::Kind::null ? "write a value, or leave the key out"
                                             : "put quotes around text that begins with `{` or `[`");
    return std::nullopt;
  }
  if (node.text.empty()) {
    faults.add(node, key_name(key), "is empty", "write a value, or leave the key out");
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::string> line_of(const Node& node, std::string_view key, Faults& faults) {
  auto text = text_of(node, key, faults);
  if (!text) return std::nullopt;
  const bool control = std::any_of(text->begin(), text->end(), [](char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return byte < 0x20 || byte == 0x7f;
  });
  if (control) {
    faults.add(node, key_with(key, node), "has a line break or another control character", "write it on one line");
    return std::nullopt;
  }
  return text;
}

std::optional<Text> expression_of(const Node& node, std::string_view key, Faults& faults) {
  // `null` is an expression, though a rare one; nothing at all is not.
  if (node.kind == Node::Kind::null && !node.text.empty()) return Text{.text = "null", .place = faults.place(node)};
  const auto text = text_of(node, key, faults);
  if (!text) return std::nullopt;
  if (text->find_first_not_of(" \t\r\n") == std::string::npos) {
    faults.add(node, key_name(key), "is blank", "write an expression, or leave the key out");
    return std::nullopt;
  }
  if (text->size() > limits::expression_chars) {
    faults.add(node, key_name(key),
               "the expression has " + std::to_string(text->size()) + " characters, at most " +
                   std::to_string(limits::expression_chars) + " are read",
               "shorten it, or split it over several labels");
    return std::nullopt;
  }
  return Text{.text = *text, .place = faults.place(node)};
}

std::optional<bool> boolean_of(const Node& node, std::string_view key, Faults& faults) {
  if (node.kind == Node::Kind::scalar && !node.quoted) {
    const nlohmann::json value = to_json(node, Numbers::as_typed);
    if (value.is_boolean()) return value.get<bool>();
  }
  faults.add(node, node.kind == Node::Kind::scalar ? key_with(key, node) : key_name(key), "must be true or false",
             "write `" + std::string(key) + ": true` or `" + std::string(key) + ": false`");
  return std::nullopt;
}

std::optional<std::int64_t> integer_of(const Node& node, std::string_view key, std::int64_t least, std::int64_t most,
                                       Faults& faults) {
  const std::string range = std::to_string(least) + " to " + std::to_string(most);
  if (node.kind != Node::Kind::scalar) {
    faults.add(node, key_name(key), "must be a number, not " + kind_of(node), "write a whole number, " + range);
    return std::nullopt;
  }
  const auto value = integer_of(node.text);
  if (!value || *value < least || *value > most) {
    faults.add(node, key_with(key, node), value ? "out of range" : "is not a whole number",
               "write a whole number, " + range);
    return std::nullopt;
  }
  return value;
}

std::optional<double> share_of(const Node& node, std::string_view key, Faults& faults) {
  const auto text = line_of(node, key, faults);
  if (!text) return std::nullopt;
  std::string_view digits = *text;
  const bool percent = digits.ends_with('%');
  if (percent) digits.remove_suffix(1);
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  const auto number = number_of(digits);
  const double share = number.value_or(0) / (percent ? 100 : 1);
  if (number && share > 0 && share <= limits::overhead_most) return share;
  faults.add(node, key_with(key, node), number ? "out of range" : "is not a share of a core",
             "write a share of one core: `5%` or `0.05`");
  return std::nullopt;
}

std::optional<std::string> word_of(const Node& node, std::string_view key, const Vocabulary& vocabulary,
                                   Faults& faults) {
  auto word = text_of(node, key, faults);
  if (!word || knows(vocabulary, *word)) return word;
  if (const Later* later = later_word(vocabulary, *word)) {
    faults.add(node, key_with(key, node), "not in this version", later->mend);
  } else {
    faults.add(node, key_with(key, node), "no such " + std::string(key), suggestion(*word, vocabulary.words));
  }
  return std::nullopt;
}

std::string kind_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return "text";
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
  }
  return "something else";
}

}  // namespace diagnose::spec
