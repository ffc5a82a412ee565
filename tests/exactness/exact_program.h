// What tests/programs/exact.* say of their own calls, and what the daemon's records say of the same calls.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/daemon.h"

namespace diagnose::test {

// What shows an argument or a result, and the marks that the program gave it (tests/programs/exact/exact.h).
struct Expression {
  std::string text;
  bool out_of_reach = false;  // `!`
  bool removable = false;     // `?`
};

struct ExactFunction {
  std::string name;
  std::vector<Expression> at_call;
  std::vector<Expression> at_return;
};

// The functions that the program lists.
[[nodiscard]] std::vector<ExactFunction> functions_of(const std::string& program);

// Values of the expressions of one event of one function, call by call.
using Lines = std::vector<std::vector<std::string>>;
// What a run printed, by event and function.
[[nodiscard]] std::map<std::pair<std::string, std::string>, Lines> printed_lines(const std::string& output);

// A probe on one event of one function: all its expressions, or one of them.
struct Watch {
  std::string id;
  std::string function;
  std::string event;
  std::vector<Expression> expressions;
  std::vector<std::size_t> columns;  // of the program's lines
  std::string error = {};            // why it was refused; empty: it is attached
};

// Watches both events of each function; one that is refused as a whole is watched expression by expression.
[[nodiscard]] std::vector<Watch> watch(const Daemon& daemon, pid_t pid, const std::vector<ExactFunction>& functions);

// What the program printed for a watch, as its records say it.
[[nodiscard]] std::vector<std::string> expected(const Watch& watch, const Lines& lines);

}  // namespace diagnose::test
