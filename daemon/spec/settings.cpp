#include "spec/settings.h"

#include <array>

#include "lifespan/lifespan.h"
#include "spec/fields.h"
#include "spec/file.h"

namespace diagnose::spec {
namespace {

constexpr std::array<Choice<Level>, 4> levels = {
    {{"debug", Level::debug}, {"info", Level::info}, {"warning", Level::warning}, {"error", Level::error}}};

void read_text(const Fields& fields, std::string_view key, std::string& into, Faults& faults) {
  if (const Node* node = fields.find(key)) {
    if (auto text = line_of(*node, key, faults)) into = std::move(*text);
  }
}

void read_folders(const Fields& fields, std::vector<std::string>& into, Faults& faults) {
  const Node* node = fields.find("specs");
  if (node == nullptr) return;
  if (node->kind != Node::Kind::sequence) {
    if (auto one = line_of(*node, "specs", faults)) into = {std::move(*one)};
    return;
  }
  into.clear();
  for (const NodePtr& item : node->items) {
    if (auto one = line_of(*item, "specs", faults)) into.push_back(std::move(*one));
  }
}

void read_retention(const Fields& fields, std::chrono::milliseconds& into, Faults& faults) {
  const Node* node = fields.find("retention");
  if (node == nullptr) return;
  const auto text = line_of(*node, "retention", faults);
  if (!text) return;
  const auto parsed = lifespan::parse(*text);
  if (parsed && parsed->time && !parsed->hits) {
    into = *parsed->time;
    return;
  }
  faults.add(*node, "`retention: " + *text + "`", "it is no time", "write a number with a unit: 5m, 90s");
}

void read_overhead(const Fields& fields, Settings& into, Faults& faults) {
  const Node* node = fields.find("overhead");
  if (node == nullptr) return;
  const Vocabulary vocabulary{.noun = "`overhead`", .words = {"probe", "host"}, .later = {}};
  const Fields budgets(*node, vocabulary, faults);
  const auto read = [&](std::string_view key, double& budget) {
    if (const Node* written = budgets.find(key)) budget = share_of(*written, key, faults).value_or(budget);
  };
  read("probe", into.probe_overhead);
  read("host", into.host_overhead);
}

}  // namespace

ReadSettings read_settings(std::string_view text, const std::string& file) {
  ReadSettings read;
  const auto tree = parse_yaml(text, file);
  if (!tree) {
    read.faults.push_back(tree.error());
    return read;
  }
  if (*tree == nullptr || (*tree)->kind == Node::Kind::null) return read;
  Faults faults(file);
  if ((*tree)->kind != Node::Kind::mapping) {
    faults.add(**tree, "read the settings", "the file is " + kind_of(**tree) + ", not a mapping",
               "write `key: value` lines, such as `listen: 127.0.0.1:9950`");
    read.faults = faults.taken();
    return read;
  }
  const Vocabulary vocabulary{.noun = "diagnosed.yaml",
                              .words = {"specs", "listen", "socket", "state", "retention", "log_level", "overhead"},
                              .later = {}};
  check_keys(**tree, faults);
  const Fields fields(**tree, vocabulary, faults);
  read_folders(fields, read.settings.specs, faults);
  read_text(fields, "listen", read.settings.listen, faults);
  read_text(fields, "socket", read.settings.socket, faults);
  read_text(fields, "state", read.settings.state, faults);
  read_retention(fields, read.settings.retention, faults);
  read_overhead(fields, read.settings, faults);
  if (const Node* node = fields.find("log_level")) {
    if (auto level = choice_of(*node, "log_level", levels, {}, faults)) read.settings.log_level = *level;
  }
  read.faults = faults.taken();
  return read;
}

ReadSettings read_settings_file(const std::string& path) {
  const auto file = whole_file(path);
  if (file) return read_settings(file->text, path);
  return {.settings = {}, .faults = {file.error()}};
}

}  // namespace diagnose::spec
