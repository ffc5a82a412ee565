#include "compile/check_names.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "compile/check_arithmetic.h"

namespace diagnose::compile {
namespace {

struct Named {
  std::string_view name;
  Op op;
  Type type;
  std::int64_t value = 0;
};

constexpr Type comm_type{.kind = TypeKind::text, .bytes = 0, .is_signed = false, .is_time = false, .text_bytes = 16};

constexpr std::array<Named, 22> names = {{{"arg0", Op::argument, long_type, 0},
                                          {"arg1", Op::argument, long_type, 1},
                                          {"arg2", Op::argument, long_type, 2},
                                          {"arg3", Op::argument, long_type, 3},
                                          {"arg4", Op::argument, long_type, 4},
                                          {"arg5", Op::argument, long_type, 5},
                                          {"arg6", Op::argument, long_type, 6},
                                          {"arg7", Op::argument, long_type, 7},
                                          {"arg8", Op::argument, long_type, 8},
                                          {"result", Op::result, long_type},
                                          {"error", Op::error, boolean_type},
                                          {"elapsed", Op::elapsed, time_type},
                                          {"start", Op::start, time_type},
                                          {"now", Op::now, time_type},
                                          {"pid", Op::pid, int_type},
                                          {"tid", Op::tid, int_type},
                                          {"uid", Op::uid, unsigned_int_type},
                                          {"cpu", Op::cpu, unsigned_int_type},
                                          {"comm", Op::comm, comm_type},
                                          {"true", Op::constant, boolean_type, 1},
                                          {"false", Op::constant, boolean_type, 0},
                                          {"null", Op::null_, null_type}}};
constexpr std::array<std::string_view, 5> functions = {"str", "mag", "min", "max", "abs"};

// The last argument that a register carries.
std::int64_t last_argument(Abi abi) {
  if (abi == Abi::none) return -1;
  return abi == Abi::go ? 8 : 5;
}

bool is_known(const Named& named, Abi abi) {
  return named.op != Op::argument || named.value <= last_argument(abi);
}

// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
    }
  }
  return row.back();
}

// The nearest of `known` to `name`, if it is near enough to be what was meant.
std::string nearest(std::string_view name, std::span<const std::string_view> known) {
  const std::size_t near = name.size() < 5 ? 1 : 2;
  std::string_view best;
  std::size_t best_distance = near + 1;
  for (const std::string_view candidate : known) {
    const std::size_t far = distance(name, candidate);
    if (far >= best_distance) continue;
    best = candidate;
    best_distance = far;
  }
  return std::string(best);
}

std::string cut(const std::string& name) {
  return "`" + (name.size() > 64 ? name.substr(0, 61) + "..." : name) + "`";
}

}  // namespace

TypedPtr named_value(const std::string& name, std::size_t position, Abi abi) {
  for (const Named& known : names) {
    if (known.name != name || !is_known(known, abi)) continue;
    auto value = std::make_unique<Typed>();
    value->op = known.op;
    value->type = known.type;
    value->value = known.value;
    value->position = position;
    return value;
  }
  return nullptr;
}

Issue unknown_name(const std::string& name, std::size_t position, Abi abi) {
  static const std::set<std::string_view> later = {"exe", "cgroup", "depth", "caller", "ustack"};
  if (later.contains(name)) return {position, cut(name), "not known to this version", "leave it out"};
  const bool numbered = name.size() > 3 && name.starts_with("arg") &&
                        std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (numbered) {
    if (abi == Abi::none) {
      return {position, cut(name), "within a function no register is known to hold it",
              "give `function:`, or leave it out"};
    }
    if (abi == Abi::go) {
      return {position, cut(name), "only the first nine integers and pointers are passed in registers",
              "use `arg0` to `arg8`"};
    }
    return {position, cut(name), "only the first six integers and pointers are passed in registers",
            "use `arg0` to `arg5`"};
  }
  if (std::find(functions.begin(), functions.end(), name) != functions.end()) {
    return {position, cut(name), "is a function", "write `" + name + "(...)`"};
  }
  std::vector<std::string_view> known;
  for (const Named& entry : names) {
    if (is_known(entry, abi)) known.push_back(entry.name);
  }
  const std::string near = nearest(name, known);
  if (!near.empty()) return {position, cut(name), "unknown name", "did you mean `" + near + "`?"};
  return {position, cut(name),
          "unknown name; names of parameters need debug information, which this version does not read yet",
          "use the parameter's position: `arg0` to `arg5`"};
}

Issue unknown_function(const std::string& name, std::size_t position) {
  static const std::set<std::string_view> later = {"len", "startswith", "hex", "sizeof"};
  if (later.contains(name)) return {position, cut(name), "not known to this version", "leave it out"};
  if (named_value(name, position, Abi::go)) return {position, cut(name), "is no function", "remove the parentheses"};
  const std::string near = nearest(name, functions);
  if (!near.empty()) return {position, cut(name), "unknown function", "did you mean `" + near + "`?"};
  return {position, cut(name), "unknown function; a probe cannot call into its target",
          "there are str, mag, min, max, abs"};
}

}  // namespace diagnose::compile
