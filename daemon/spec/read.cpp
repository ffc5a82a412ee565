#include "spec/read.h"

#include <algorithm>
#include <set>

#include "spec/file.h"
#include "spec/parts.h"

namespace diagnose::spec {
namespace {

const Vocabulary& file_words() {
  static const Vocabulary words{.noun = "a spec file", .words = {"probes"}, .later = {}};
  return words;
}

// An id that a probe may have, or a fault.
bool check_id(const Node& key, Faults& faults) {
  if (key.kind != Node::Kind::scalar) {
    faults.add(key, "a probe's id", "must be text, not " + kind_of(key), "write `ID:` and the probe's keys below it");
    return false;
  }
  const std::string& id = key.text;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool letters =
      std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
  if (!id.empty() && letters && plain(id.front()) && id.size() <= limits::id_chars) return true;
  faults.add(key, "the probe id " + ticked(id),
             "ids have lower-case letters, digits, `.`, `_` and `-`, begin with a letter "
             "or digit, and are at most " +
                 std::to_string(limits::id_chars) + " long",
             "rename the probe, as in `checkout-latency`");
  return false;
}

// Ids that stand more than once: which of them is meant nobody can say, so none is used.
std::set<std::string> repeated_ids(const Node& probes, Faults& faults) {
  std::set<std::string> seen;
  std::set<std::string> repeated;
  for (const Node::Entry& entry : probes.entries) {
    if (entry.key->kind != Node::Kind::scalar || seen.insert(entry.key->text).second) continue;
    repeated.insert(entry.key->text);
    faults.add(*entry.key, "the probe id " + ticked(entry.key->text), "stands twice in this file",
               "rename one of the two");
  }
  return repeated;
}

void read_probes(const Node& probes, lifespan::Clock::time_point lastmodified, Faults& faults, Document& document) {
  if (probes.kind == Node::Kind::null) return;
  if (probes.kind != Node::Kind::mapping) {
    faults.add(probes, "`probes`", "must be a mapping of ids, not " + kind_of(probes),
               "write `probes:`, below it `ID:`, below that the probe's keys");
    return;
  }
  if (probes.entries.size() > limits::specs) {
    faults.add(probes, "`probes`",
               std::to_string(probes.entries.size()) + " probes, at most " + std::to_string(limits::specs) +
                   " are kept on a host",
               "split or remove some");
    return;
  }
  const std::set<std::string> repeated = repeated_ids(probes, faults);
  for (const Node::Entry& entry : probes.entries) {
    const std::size_t before = faults.count();
    if (entry.key->kind == Node::Kind::scalar) faults.blame(entry.key->text);
    const bool named = check_id(*entry.key, faults);
    Probe probe = read_probe(entry.key->text, *entry.key, *entry.value, lastmodified, faults);
    if (faults.count() == before && !repeated.contains(entry.key->text)) {
      document.probes.push_back(std::move(probe));
      continue;
    }
    const bool told =
        std::find(document.faulty.begin(), document.faulty.end(), entry.key->text) != document.faulty.end();
    if (!told && (named || !entry.key->text.empty())) document.faulty.push_back(entry.key->text);
  }
  faults.blame("");
}

void read_root(const Node& root, lifespan::Clock::time_point lastmodified, Faults& faults, Document& document) {
  if (root.kind == Node::Kind::null) return;  // a file of comments
  if (root.kind != Node::Kind::mapping) {
    faults.add(root, "the file", "must be a mapping, not " + kind_of(root), "begin it with `probes:`");
    return;
  }
  const Fields fields(root, file_words(), faults);
  const auto named = std::count_if(root.entries.begin(), root.entries.end(), [](const Node::Entry& entry) {
    return entry.key->kind == Node::Kind::scalar && entry.key->text == "probes";
  });
  if (named > 1) {
    faults.add(root, "`probes:`", "stands twice in one file", "put all probes under one `probes:`");
  }
  bool any = false;
  for (const Node::Entry& entry : root.entries) {
    if (entry.key->kind != Node::Kind::scalar) {
      faults.add(*entry.key, "a key", "must be text, not " + kind_of(*entry.key), "begin the file with `probes:`");
    } else if (entry.key->text == "probes") {
      if (!any) read_probes(*entry.value, lastmodified, faults, document);
      any = true;
    }
  }
  if (!any) {
    faults.add(root, "`probes:` is missing", "a spec file holds probes, keyed by id",
               "write `probes:`, below it `ID:`, below that the probe's keys");
  }
}

}  // namespace

Document read(std::string_view text, const std::string& file_name, lifespan::Clock::time_point lastmodified) {
  Document document;
  Faults faults(file_name);
  auto root = parse_yaml(text, file_name);
  if (!root) {
    faults.add(std::move(root.error()));
  } else if (*root) {
    read_root(**root, lastmodified, faults, document);
  }
  document.faults = faults.taken();
  return document;
}

Document read_file(const std::string& path) {
  const auto file = whole_file(path);
  if (file) return read(file->text, path, file->modified);
  Document document;
  document.faults.push_back(file.error());
  return document;
}

}  // namespace diagnose::spec
