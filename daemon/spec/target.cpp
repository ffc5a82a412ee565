#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "spec/parts.h"
#include "spec/scalar.h"

namespace diagnose::spec {
namespace {

constexpr std::int64_t pid_most = 1 << 22;        // PID_MAX_LIMIT, linux/threads.h
constexpr std::size_t comm_chars = 15;            // TASK_COMM_LEN without its NUL, linux/sched.h
constexpr std::size_t build_id_chars_most = 128;  // 64 bytes; usual are 20
constexpr std::int64_t line_most = std::numeric_limits<std::int32_t>::max();
constexpr std::string_view colon_form = "write `MODULE:FUNCTION`, as in `/usr/bin/redis-server:processCommand`";

const Vocabulary& target_words() {
  static const Vocabulary words{
      .noun = "a target",
      .words = {"pid", "exe", "comm", "all", "module", "function", "address", "line", "usdt", "inline", "build_id"},
      .later = {{"unit", "use `exe:` with the service's program, or `pid:`"},
                {"cgroup", "use `exe:`, `comm:` or `pid:`"},
                {"container", "use `pid:` with the process as the host sees it"}}};
  return words;
}

void read_pids(const Node& node, Target& target, Faults& faults) {
  target.by = TargetBy::pid;
  const auto add = [&](const Node& one) {
    const auto pid = integer_of(one, "pid", 1, pid_most, faults);
    if (!pid) return;
    const auto number = static_cast<pid_t>(*pid);
    if (std::find(target.pids.begin(), target.pids.end(), number) == target.pids.end()) target.pids.push_back(number);
  };
  if (node.kind != Node::Kind::sequence) {
    add(node);
    return;
  }
  for (const NodePtr& item : node.items) add(*item);
  if (node.items.empty()) faults.add(node, "`pid`", "the list is empty", "write `pid: 1234` or `pid: [1234, 1235]`");
}

void read_exe(const Node& node, Target& target, Faults& faults) {
  target.by = TargetBy::exe;
  const auto exe = line_of(node, "exe", faults);
  if (!exe) return;
  target.pattern = *exe;
  if (std::string_view("/*?[").find(exe->front()) != std::string_view::npos) return;
  faults.add(node, ticked("exe: " + *exe), "is not an absolute path and not a glob",
             "write the whole path, " + ticked("exe: '*/" + *exe + "'") + ", or `comm: NAME`");
}

void read_comm(const Node& node, Target& target, Faults& faults) {
  target.by = TargetBy::comm;
  const auto comm = line_of(node, "comm", faults);
  if (!comm) return;
  target.pattern = *comm;
  if (comm->size() <= comm_chars) return;
  faults.add(node, ticked("comm: " + *comm), "the kernel keeps " + std::to_string(comm_chars) + " characters of a name",
             "write " + ticked("comm: " + comm->substr(0, comm_chars)) + ", or use `exe:`");
}

void read_all(const Node& node, const Fields& fields, Target& target, Faults& faults) {
  target.by = TargetBy::all;
  const auto all = boolean_of(node, "all", faults);
  if (all && !*all) {
    faults.add(node, "`all: false`", "selects no process", "leave it out and name one of `pid`, `exe` or `comm`");
  } else if (all && fields.find("module") == nullptr) {
    faults.add(node, "`all: true`", "needs a module: functions are looked for in one file",
               "add `module:`, as in `module: libc.so.6`");
  }
}

// Exactly one way of naming the processes.
void read_processes(const Node& node, const Fields& fields, Target& target, Faults& faults) {
  std::vector<std::string> given;
  bool later = false;  // a word of a later version has its fault already
  for (const std::string key : {"pid", "exe", "comm", "all"}) {
    if (fields.find(key) != nullptr) given.push_back(key);
  }
  for (const std::string key : {"unit", "cgroup", "container"}) later = later || fields.find(key) != nullptr;
  if (given.size() > 1) {
    std::string names;
    for (const std::string& key : given) names += (names.empty() ? "`" : ", `") + key + "`";
    faults.add(node, "the target names its processes by " + names, "exactly one of them may stand", "keep one");
  } else if (given.empty() && !later) {
    faults.add(node, "the target names no processes", "exactly one of `pid`, `exe`, `comm` and `all` must stand",
               "add `exe: /path/of/program`, `pid: 1234`, `comm: name`, or `all: true` with `module:`");
  }
  if (const Node* pid = fields.find("pid")) read_pids(*pid, target, faults);
  if (const Node* exe = fields.find("exe")) read_exe(*exe, target, faults);
  if (const Node* comm = fields.find("comm")) read_comm(*comm, target, faults);
  if (const Node* all = fields.find("all")) read_all(*all, fields, target, faults);
}

void read_build_id(const Node& node, Target& target, Faults& faults) {
  auto id = line_of(node, "build_id", faults);
  if (!id) return;
  bool good = id->size() % 2 == 0 && id->size() <= build_id_chars_most;
  for (char& letter : *id) {
    if (letter >= 'A' && letter <= 'F') letter = static_cast<char>(letter - 'A' + 'a');
    good = good && ((letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f'));
  }
  if (!good) {
    faults.add(node, ticked("build_id: " + *id), "is not a build id in hexadecimal",
               "copy what `file` or `readelf -n` prints for the program");
  }
  target.build_id = *id;
}

void read_function(const Node& node, Target& target, Faults& faults) {
  target.place_by = PlaceBy::function;
  if (auto text = line_of(node, "function", faults)) target.function = {*text, faults.place(node)};
  if (target.function.text == "re:") {
    faults.add(node, "`function: re:`", "the pattern is empty", "write a pattern behind it, as in `re:^SSL_`");
  }
}

void read_address(const Node& node, Target& target, Faults& faults) {
  target.place_by = PlaceBy::address;
  target.function.place = faults.place(node);
  if (const auto address = integer_of(node, "address", 1, std::numeric_limits<std::int64_t>::max(), faults)) {
    target.address = LinkAddress{static_cast<std::uint64_t>(*address)};
  }
}

// `cart.cc:120`
void read_line(const Node& node, Target& target, Faults& faults) {
  target.place_by = PlaceBy::line;
  const auto text = line_of(node, "line", faults);
  if (!text) return;
  const auto colon = text->rfind(':');
  const auto number = colon == std::string::npos ? std::nullopt : integer_of(std::string_view(*text).substr(colon + 1));
  if (colon == 0 || !number || *number < 1 || *number > line_most || text->at(colon - 1) == '/') {
    faults.add(node, ticked("line: " + *text), "is not a source file and a line",
               "write `FILE:LINE`, as in `cart.cc:120` or `src/cart.cc:120`");
    return;
  }
  target.function = {text->substr(0, colon), faults.place(node)};
  target.line = static_cast<std::uint32_t>(*number);
}

// `provider:name`
void read_usdt(const Node& node, Target& target, Faults& faults) {
  target.place_by = PlaceBy::usdt;
  const auto text = line_of(node, "usdt", faults);
  if (!text) return;
  target.function = {*text, faults.place(node)};
  const auto colon = text->find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text->size() || colon != text->rfind(':')) {
    faults.add(node, ticked("usdt: " + *text), "is not a provider and a marker's name",
               "write `PROVIDER:NAME`, as in `python:function__entry`");
  }
}

// Exactly one way of naming the place.
void read_place(const Node& node, const Fields& fields, Target& target, Faults& faults) {
  if (const Node* module = fields.find("module")) target.module = line_of(*module, "module", faults).value_or("");
  if (const Node* id = fields.find("build_id")) read_build_id(*id, target, faults);
  using Reader = void (*)(const Node&, Target&, Faults&);
  constexpr std::array<std::pair<const char*, Reader>, 4> ways{
      {{"function", read_function}, {"address", read_address}, {"line", read_line}, {"usdt", read_usdt}}};
  std::string given;
  std::size_t count = 0;
  for (const auto& [key, reader] : ways) {
    const Node* way = fields.find(key);
    if (way == nullptr) continue;
    given += (count++ == 0 ? "`" : ", `") + std::string(key) + "`";
    reader(*way, target, faults);
  }
  if (count == 0) {
    faults.add(node, "`function` is missing", "the target names no place", "add `function: name`");
  } else if (count > 1) {
    faults.add(node, "the target names its place by " + given, "exactly one of them may stand", "keep one");
  }
  const Node* inlined = fields.find("inline");
  if (inlined == nullptr) return;
  target.inlined = boolean_of(*inlined, "inline", faults).value_or(true);
  if (count == 1 && target.place_by != PlaceBy::function) {
    faults.add(*inlined, "`inline`", "only functions are inlined", "leave it out, or give `function:`");
  }
}

void read_short(const Node& node, Target& target, Faults& faults) {
  const auto text = line_of(node, "target", faults);
  if (!text) return;
  const auto halves = split_target(*text);
  if (!halves) {
    const bool dotted = text->find('.') != std::string::npos && text->find('/') == std::string::npos;
    faults.add(node, ticked("target: " + *text),
               dotted ? "a dotted name does not say where the module ends" : "has no module and function",
               std::string(colon_form));
    return;
  }
  target.by = TargetBy::all;
  target.module = halves->module;
  target.function = {halves->function, faults.place(node)};
  target.function.place.column += static_cast<int>(halves->function_at);
}

}  // namespace

std::optional<Halves> split_target(std::string_view text) {
  if (text.starts_with("re:")) return std::nullopt;
  for (std::size_t at = text.find(':'); at != std::string_view::npos; at = text.find(':', at)) {
    std::size_t colons = 1;
    while (at + colons < text.size() && text[at + colons] == ':') ++colons;
    // An odd run is a single colon before or behind `::`; the function may begin with `::`, the module cannot end so.
    if (colons % 2 == 1) {
      if (at == 0 || at + 1 >= text.size()) return std::nullopt;
      return Halves{.module = std::string(text.substr(0, at)),
                    .function = std::string(text.substr(at + 1)),
                    .function_at = at + 1};
    }
    at += colons;
  }
  return std::nullopt;
}

Target read_target(const Node& node, Faults& faults) {
  Target target;
  target.place = faults.place(node);
  if (node.kind == Node::Kind::scalar) {
    read_short(node, target, faults);
    return target;
  }
  const Fields fields(node, target_words(), faults);
  if (node.kind != Node::Kind::mapping) return target;
  read_processes(node, fields, target, faults);
  read_place(node, fields, target, faults);
  return target;
}

}  // namespace diagnose::spec
