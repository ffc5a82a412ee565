#include <chrono>
#include <optional>
#include <string>

#include "cli/fields.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;

Exit attach(const AttachArguments& arguments, const Settings& settings) {
  const auto spec = spec_of(arguments);
  if (!spec) return tell(Failure{.exit = Exit::usage, .errors = {spec.error()}}, settings);
  const std::string id = arguments.id.empty() ? fresh_id(place_name(arguments)) : arguments.id;

  std::optional<Interrupts> interrupts;
  if (arguments.follow) interrupts.emplace();
  auto client = Client::connect(settings.socket, interrupts ? interrupts->fd() : -1);
  if (!client) return tell(client.error(), settings);
  const auto attached = client->call("attach", {{"id", id}, {"spec", *spec}, {"follow", arguments.follow}});
  if (!attached) return tell(attached.error(), settings);
  if (!settings.json) {
    print(attach_text(*attached, style_of_stdout(), std::chrono::system_clock::now()));
  } else if (!arguments.follow) {
    print_json(*attached);
  }
  if (!arguments.follow) return Exit::done;
  const std::string given = text_of(*attached, "id");
  return follow(*client, given.empty() ? id : given, settings);
}

}  // namespace diagnose::cli
