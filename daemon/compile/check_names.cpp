#include "compile/check_names.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "compile/check_arithmetic.h"
#include "compile/checker.h"

namespace diagnose::compile {
namespace {

struct Named {
  std::string_view name;
  Op op;
  Type type;
  std::int64_t value = 0;
};

constexpr Type comm_type{.kind = TypeKind::text, .bytes = 0, .is_signed = false, .is_time = false, .text_bytes = 16};

// The longest names that are met; a longer one is cut.
constexpr Type exe_type{.kind = TypeKind::text, .bytes = 0, .is_signed = false, .is_time = false, .text_bytes = 64};

constexpr Type stack_type{
    .kind = TypeKind::stack, .bytes = 0, .is_signed = false, .is_time = false, .text_bytes = 8 * limits::stack_frames};

constexpr std::array<Named, 27> names = {{{"arg0", Op::argument, long_type, 0},
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
                                          {"exe", Op::exe, exe_type},
                                          {"cgroup", Op::cgroup, unsigned_long_type},
                                          {"depth", Op::depth, unsigned_int_type},
                                          {"caller", Op::read, unsigned_long_type},
                                          {"ustack", Op::stack, stack_type},
                                          {"true", Op::constant, boolean_type, 1},
                                          {"false", Op::constant, boolean_type, 0},
                                          {"null", Op::null_, null_type}}};
constexpr std::array<std::string_view, 9> functions = {"str", "mag",        "min",    "max", "abs",
                                                       "len", "startswith", "sizeof", "hex"};

bool is_known(const Named& named, Abi abi) {
  return named.op != Op::argument || static_cast<std::size_t>(named.value) < argument_registers(abi).size();
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

}  // namespace

std::span<const std::uint8_t> argument_registers(Abi abi) {
  static constexpr std::array<std::uint8_t, 6> system_v = {7, 6, 2, 1, 8, 9};
  static constexpr std::array<std::uint8_t, 9> go = {0, 3, 1, 7, 6, 8, 9, 10, 11};
  if (abi == Abi::none) return {};
  if (abi == Abi::go) return go;
  return system_v;
}

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

std::string quoted(const std::string& name) {
  return "`" + (name.size() > 64 ? name.substr(0, 61) + "..." : name) + "`";
}

bool is_built_in(const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const Named& known) { return known.name == name; });
}

std::string near_built_in(const std::string& name, Abi abi) {
  std::vector<std::string_view> known;
  for (const Named& entry : names) {
    if (is_known(entry, abi)) known.push_back(entry.name);
  }
  return nearest(name, known);
}

std::optional<std::uint64_t> argument_number(const std::string& name) {
  const bool numbered = name.size() > 3 && name.size() < 12 && name.starts_with("arg") &&
                        std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!numbered) return std::nullopt;
  return std::stoull(name.substr(3));
}

TypedPtr named_value(const std::string& name, std::size_t position, Abi abi) {
  for (const Named& known : names) {
    if (known.name != name || !is_known(known, abi)) continue;
    auto value = std::make_unique<Typed>();
    value->op = known.op;
    value->type = known.type;
    value->value = known.value;
    value->position = position;
    if (known.op == Op::read) {
      // The return address is on top of the stack, where rsp has not moved.
      value->of_call = true;
      value->show = Show::as_address;
      value->text = name;
      value->children.push_back(register_at_call(target::register_sp, name, position));
    }
    if (known.op != Op::argument) return value;
    value->value = argument_registers(abi)[static_cast<std::size_t>(known.value)];
    value->text = name;
    return value;
  }
  return nullptr;
}

std::optional<Issue> refused_name(const std::string& name, std::size_t position, Abi abi) {
  if (argument_number(name)) {
    if (abi == Abi::none) {
      return Issue{position, quoted(name), "within a function no register is known to hold it",
                   "give `function:`, or leave it out"};
    }
    if (abi == Abi::go) {
      return Issue{position, quoted(name), "only the first nine integers and pointers are passed in registers",
                   "use `arg0` to `arg8`"};
    }
    return Issue{position, quoted(name), "only the first six integers and pointers are passed in registers",
                 "use `arg0` to `arg5`"};
  }
  if (std::find(functions.begin(), functions.end(), name) != functions.end()) {
    return Issue{position, quoted(name), "is a function", "write `" + name + "(...)`"};
  }
  return std::nullopt;
}

Issue unknown_function(const std::string& name, std::size_t position) {
  if (is_built_in(name)) return {position, quoted(name), "is no function", "remove the parentheses"};
  const std::string near = nearest(name, functions);
  if (!near.empty()) return {position, quoted(name), "unknown function", "did you mean `" + near + "`?"};
  return {position, quoted(name), "unknown function; a probe cannot call into its target",
          "there are str, len, startswith, mag, min, max, abs, sizeof, hex"};
}

}  // namespace diagnose::compile
