// One YAML document as a passive tree in which every node knows its place.  yaml.cpp is the only file that names
// YAML::.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "spec/spec.h"

namespace diagnose::spec {

struct Node;
using NodePtr = std::shared_ptr<const Node>;  // an alias shares the node of its anchor

struct Node {
  enum class Kind { null, scalar, sequence, mapping };
  struct Entry {
    NodePtr key;  // any kind: the reader refuses what is no scalar
    NodePtr value;
  };

  Kind kind = Kind::null;
  std::string text;     // of a scalar, without quotes; of a null as written, empty if nothing was
  bool quoted = false;  // quoted, a block, or tagged !!str: always a string
  int line = 0;         // from 1; the first character inside the quotes
  int column = 0;       // from 1, bytes
  std::vector<NodePtr> items;
  std::vector<Entry> entries;
  std::size_t nodes = 1;   // in this tree, aliases followed
  std::size_t height = 1;  // levels of this tree
};

// The document in `text`; nullptr if there is none.  Fails with one fault on what is not one YAML document in UTF-8, on
// control characters, tags, and on everything beyond limits::spec_file_bytes, yaml_depth and yaml_nodes.  The stack it
// needs is bounded by yaml_depth.
[[nodiscard]] tl::expected<NodePtr, Fault> parse_yaml(std::string_view text, const std::string& file);

}  // namespace diagnose::spec
