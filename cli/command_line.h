// argv -> the verb to run.  The only file that names CLI::.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/complete.h"
#include "cli/outcome.h"

namespace diagnose::cli {

struct Parsed {
  std::function<Exit()> run;  // empty: nothing to run, `exit` is the status
  Exit exit = Exit::done;
  std::string output;  // help and version, for stdout
  std::string errors;  // for stderr
};

// `arguments` without the program's name.  `default_socket` is used where --socket is not given.
[[nodiscard]] Parsed parse_command_line(std::vector<std::string> arguments, const std::string& default_socket);

// Every verb that help shows with its options, and diagnosectl itself under the empty name.
[[nodiscard]] std::vector<VerbShape> verb_shapes();

}  // namespace diagnose::cli
