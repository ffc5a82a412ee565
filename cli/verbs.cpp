#include "cli/verbs.h"

#include <cstdio>

#include "cli/terminal.h"
#include "cli/text.h"
#include "control/protocol.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

std::string line_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

void tell(const Error& error, const Settings& settings) {
  const std::string line =
      settings.json ? line_of({{"error", control::to_json(error)}}) : printable(error.text()) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Exit tell(const Failure& failure, const Settings& settings) {
  for (const Error& error : failure.errors) tell(error, settings);
  return failure.exit;
}

void print_json(const json& value) {
  print(line_of(value));
}

}  // namespace diagnose::cli
