#include "cli/verbs.h"

#include <cstdio>

#include "cli/excerpt.h"
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

void tell(const control::PlacedError& placed, const Settings& settings) {
  const std::string text = settings.json ? line_of({{"error", control::to_json(placed.error)}})
                                         : printable(placed.error.text()) + "\n" + excerpt(placed, style_of_stderr());
  std::fwrite(text.data(), 1, text.size(), stderr);
}

Exit tell(const Failure& failure, const Settings& settings) {
  if (settings.json && failure.all) {
    tell(*failure.all, settings);
  } else {
    for (const control::PlacedError& error : failure.errors) tell(error, settings);
  }
  return failure.exit;
}

void print_json(const json& value) {
  print(line_of(value));
}

}  // namespace diagnose::cli
