// Walking a tree with all faults collected: a reader goes on after a fault and the user mends once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/words.h"
#include "spec/yaml.h"

namespace diagnose::spec {

class Faults {
 public:
  explicit Faults(std::string file) : file_(std::move(file)) {}

  void add(const Node& at, std::string what, std::string why, std::string mend);
  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  // Faults added from now on belong to this probe; empty: to the file.
  void blame(std::string probe) { probe_ = std::move(probe); }
  [[nodiscard]] Place place(const Node& node) const { return {file_, node.line, node.column}; }
  [[nodiscard]] std::size_t count() const { return faults_.size(); }

  // In the order of the file, each once (two probes may share a tree by an alias).
  [[nodiscard]] std::vector<Fault> taken();

 private:
  std::string file_;
  std::string probe_;
  std::vector<Fault> faults_;
};

// A word of the language that a later version knows, and what to use until then.
struct Later {
  std::string word;
  std::string mend;
};

// The words that may stand at one place.
struct Vocabulary {
  std::string noun;  // "an instrument", for messages
  std::vector<std::string> words;
  std::vector<Later> later;
};

// A mapping's values by key.  What is wrong with the keys is a fault at once.
class Fields {
 public:
  Fields(const Node& node, const Vocabulary& vocabulary, Faults& faults);

  // nullptr: not there.  The first one if a key stands twice.
  [[nodiscard]] const Node* find(std::string_view key) const;

 private:
  const Node& node_;
};

// Faults of all mappings in the tree: a key twice, a key that is no text.
void check_keys(const Node& tree, Faults& faults);

// Each of these reads the value of `key`; nullopt after a fault.
[[nodiscard]] std::optional<std::string> text_of(const Node& node, std::string_view key, Faults& faults);
[[nodiscard]] std::optional<std::string> line_of(const Node& node, std::string_view key, Faults& faults);  // one line
[[nodiscard]] std::optional<Text> expression_of(const Node& node, std::string_view key, Faults& faults);
[[nodiscard]] std::optional<bool> boolean_of(const Node& node, std::string_view key, Faults& faults);
[[nodiscard]] std::optional<std::int64_t> integer_of(const Node& node, std::string_view key, std::int64_t least,
                                                     std::int64_t most, Faults& faults);

// A share of one core, `5%` or `0.05`: above 0, at most limits::overhead_most.
[[nodiscard]] std::optional<double> share_of(const Node& node, std::string_view key, Faults& faults);

// One of a vocabulary's words.
[[nodiscard]] std::optional<std::string> word_of(const Node& node, std::string_view key, const Vocabulary& vocabulary,
                                                 Faults& faults);

// A word with its meaning.  Several words may mean the same.
template <typename Meaning>
struct Choice {
  std::string_view word;
  Meaning meaning;
};

template <typename Meaning, std::size_t N>
std::optional<Meaning> choice_of(const Node& node, std::string_view key, const std::array<Choice<Meaning>, N>& choices,
                                 const std::vector<Later>& later, Faults& faults) {
  Vocabulary vocabulary{.noun = "`" + std::string(key) + "`", .words = {}, .later = later};
  for (const auto& choice : choices) vocabulary.words.emplace_back(choice.word);
  const auto word = word_of(node, key, vocabulary, faults);
  if (!word) return std::nullopt;
  for (const auto& choice : choices) {
    if (choice.word == *word) return choice.meaning;
  }
  return std::nullopt;
}

// "a list", "a mapping", "text", "nothing": what a node is, in messages.
[[nodiscard]] std::string kind_of(const Node& node);

}  // namespace diagnose::spec
