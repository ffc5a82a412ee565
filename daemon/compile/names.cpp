// names_of(): what expressions mention that only debug information can tell.
#include <algorithm>

#include "compile/check_names.h"
#include "compile/evaluation.h"
#include "compile/parse.h"

namespace diagnose::compile {
namespace {

void add(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

class Collector {
 public:
  void expression(const spec::Text& text) {
    if (const auto tree = parse(text.text)) visit(**tree);
  }
  Names take() { return std::move(names_); }

 private:
  void visit(const Node& node) {
    switch (node.kind) {
      case NodeKind::name:
        name(node.text);
        break;
      case NodeKind::member:
        member(node);
        return;
      case NodeKind::cast:
      case NodeKind::size_of:
        written(node);
        break;
      default:
        break;
    }
    for (const auto& child : node.children) visit(*child);
  }

  void name(const std::string& name) {
    if (name.find('!') != std::string::npos) {
      names_.any = true;
      add(names_.others, name);
      return;
    }
    if (name.find("::") != std::string::npos) {
      names_.any = true;
      const std::string bare = name.starts_with("::") ? name.substr(2) : name;
      add(names_.globals, bare);
      add(names_.constants, bare);
      return;
    }
    if (argument_number(name) || name == "result") {
      names_.typed = true;
      return;
    }
    if (is_built_in(name) || refused_name(name, 0, Abi::system_v)) return;
    names_.any = true;
    add(names_.members, name);
    add(names_.constants, name);
  }

  void member(const Node& node) {
    const std::string name = node.text.substr(node.text.starts_with("->") ? 2 : 1);
    const Node& outer = *node.children[0];
    names_.any = true;
    add(names_.members, name);
    const bool parameter = outer.kind == NodeKind::name && outer.text == "arg";
    if (!parameter) visit(outer);
  }

  void written(const Node& node) {
    const std::string& type = node.written.unknown;
    if (type.empty() || type == "float" || type == "double") return;
    names_.any = true;
    add(names_.types, type);
    if (node.kind == NodeKind::size_of) add(names_.members, type);  // of a parameter
  }

  Names names_;
};

}  // namespace

Names names_of(const spec::Probe& probe) {
  Collector collector;
  for (const spec::Instrument& instrument : probe.instruments) {
    if (instrument.where) collector.expression(*instrument.where);
    if (instrument.value) collector.expression(*instrument.value);
    for (const spec::Label& label : instrument.labels) collector.expression(label.expression);
    if (!instrument.message) continue;
    for (const spec::Text& field : instrument.message->expressions) collector.expression(field);
  }
  return collector.take();
}

}  // namespace diagnose::compile
