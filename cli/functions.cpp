#include "cli/client.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

Exit functions(const AttachArguments& arguments, const Settings& settings) {
  const auto target = target_of(arguments);
  if (!target) {
    Error error = target.error();
    error.what = "functions";
    return tell(Failure{.exit = Exit::usage, .errors = {error}}, settings);
  }
  auto client = Client::connect(settings.socket);
  if (!client) return tell(client.error(), settings);
  const auto answer = client->call("functions", {{"target", *target}});
  if (!answer) return tell(answer.error(), settings);
  if (settings.json) {
    print_json(*answer);
  } else {
    print(functions_text(*answer));
  }
  return Exit::done;
}

}  // namespace diagnose::cli
