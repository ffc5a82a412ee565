#include "spec/yaml.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "spec/utf8.h"
#include "spec/words.h"

namespace diagnose::spec {
namespace {

// Ends the parse from within a callback; stops in parse_yaml().
struct Refused {
  Fault fault;
};

// Builds the tree.  Its throws from On*Start keep yaml-cpp's recursion within limits::yaml_depth: that parser goes one
// level down only after having told of it here.
class Builder : public YAML::EventHandler {
 public:
  Builder(std::string_view text, std::string file) : file_(std::move(file)) {
    lines_.push_back(text);
    for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
      lines_.push_back(text.substr(at + 1));
    }
  }

  [[nodiscard]] NodePtr root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      refuse(mark, "a second YAML document", "a spec file holds one", "put all probes under one `probes:`");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto node = made(Node::Kind::null, mark, anchor);
    const std::string_view source = source_at(mark);
    for (const std::string_view word : {"null", "Null", "NULL", "~"}) {
      if (source.starts_with(word)) node->text = word;
    }
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      refuse(mark, "an alias inside its own anchor", "that tree has no end", "write the value out");
    }
    count(mark, found->second->nodes);
    check_depth(mark, open_.size() + found->second->height);
    add(found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool tagged_text = tag == "tag:yaml.org,2002:str";
    if (!tagged_text) refuse_tag(mark, tag);
    if (value.find('\0') != std::string::npos) {
      refuse(mark, "a NUL character", "no text of a spec can hold one", "take the `\\0` out");
    }
    auto node = made(Node::Kind::scalar, mark, anchor);
    node->text = value;
    node->quoted = tagged_text || tag == "!";
    const std::string_view source = source_at(mark);
    if (node->quoted && (source.starts_with('"') || source.starts_with('\''))) ++node->column;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor;
    NodePtr key;  // of a mapping, waiting for its value
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string what, std::string why, std::string mend) const {
    throw Refused{Fault{.place = {file_, mark.line + 1, mark.column + 1},
                        .what = std::move(what),
                        .why = std::move(why),
                        .mend = std::move(mend)}};
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    refuse(mark, "the YAML tag " + ticked(tag), "specs have no tags",
           "put quotes around an expression that begins with `!`");
  }

  void count(const YAML::Mark& mark, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ <= limits::yaml_nodes) return;
    refuse(mark, "too much YAML", "more than " + std::to_string(limits::yaml_nodes) + " values, aliases followed",
           "use fewer aliases, or split the file");
  }

  void check_depth(const YAML::Mark& mark, std::size_t depth) const {
    if (depth <= limits::yaml_depth) return;
    refuse(mark, "YAML nested too deep", "more than " + std::to_string(limits::yaml_depth) + " levels",
           "a spec needs no more than a handful: look for a bracket that is never closed");
  }

  std::shared_ptr<Node> made(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(mark, 1);
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->line = mark.line + 1;
    node->column = mark.column + 1;
    if (anchor != 0 && kind != Node::Kind::sequence && kind != Node::Kind::mapping) anchored_[anchor] = node;
    return node;
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    check_depth(mark, open_.size() + 1);
    open_.push_back({.node = made(kind, mark, anchor), .anchor = anchor, .key = nullptr});
  }

  void close() {
    const Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.anchor != 0) anchored_[closed.anchor] = closed.node;
    add(closed.node);
  }

  void add(NodePtr node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    parent.node->nodes += node->nodes;
    parent.node->height = std::max(parent.node->height, node->height + 1);
    if (parent.node->kind == Node::Kind::sequence) {
      parent.node->items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      parent.node->entries.push_back({.key = std::exchange(parent.key, nullptr), .value = std::move(node)});
    }
  }

  // The source from a mark on; only for what the parser does not tell: quotes, and how a null was written.
  [[nodiscard]] std::string_view source_at(const YAML::Mark& mark) const {
    const auto line = static_cast<std::size_t>(mark.line);
    const auto column = static_cast<std::size_t>(mark.column);
    if (line >= lines_.size() || column >= lines_[line].size()) return {};
    return lines_[line].substr(column, 8);
  }

  std::string file_;
  std::vector<std::string_view> lines_;  // each from its start to the end of the text
  NodePtr root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, NodePtr> anchored_;  // complete ones
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

std::string mend_for(const std::string& message) {
  if (message.starts_with(YAML::ErrorMsg::UNKNOWN_ANCHOR)) {
    return "put quotes around an expression that begins with `*`";
  }
  if (message.starts_with(YAML::ErrorMsg::CHAR_IN_TAG_HANDLE) || message.starts_with(YAML::ErrorMsg::CHAR_IN_ALIAS) ||
      message.starts_with(YAML::ErrorMsg::CHAR_IN_ANCHOR)) {
    return "put quotes around an expression that begins with `!`, `&` or `*`";
  }
  return "look at the indentation and the brackets; put quotes around text that holds `: ` or ` #`, or that begins "
         "with "
         "one of `*&!%@{[`";
}

// Everything that is refused before a parser sees it.
std::optional<Fault> unreadable(std::string_view text, const std::string& file) {
  if (text.size() > limits::spec_file_bytes) {
    return Fault{
        .place = {file, 0, 0},
        .what = "too large",
        .why = std::to_string(text.size()) + " bytes, at most " + std::to_string(limits::spec_file_bytes) + " are read",
        .mend = "split the file"};
  }
  const std::optional<std::size_t> bad = first_not_text(text);
  if (!bad) return std::nullopt;
  const std::string_view before = text.substr(0, *bad);
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const int line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  return Fault{.place = {file, line, static_cast<int>(*bad - line_start) + 1},
               .what = "not text",
               .why = "byte " + hex(static_cast<unsigned char>(text[*bad])) + " is not UTF-8 text",
               .mend = "a spec is YAML in UTF-8: is this the right file?"};
}

}  // namespace

tl::expected<NodePtr, Fault> parse_yaml(std::string_view text, const std::string& file) {
  if (auto fault = unreadable(text, file)) return tl::unexpected(std::move(*fault));
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark is no column
  const auto fault = [&](const YAML::Mark& mark, std::string why, std::string mend) {
    return tl::unexpected(Fault{.place = {file, mark.line + 1, mark.column + 1},
                                .what = "not YAML",
                                .why = std::move(why),
                                .mend = std::move(mend)});
  };
  try {
    Builder builder(text, file);
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
    return builder.root();
  } catch (const Refused& refused) {
    return tl::unexpected(refused.fault);
  } catch (const YAML::Exception& error) {
    return fault(error.mark, printable(error.msg), mend_for(error.msg));
  } catch (const std::exception& error) {  // the parser's own containers
    return fault(YAML::Mark::null_mark(), error.what(), "simplify the file");
  }
}

}  // namespace diagnose::spec
