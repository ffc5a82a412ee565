#include <chrono>

#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;

Exit events(const std::vector<std::string>& ids, const Settings& settings) {
  const Interrupts interrupts;  // Ctrl-C is how one leaves: no failure
  auto client = Client::connect(settings.socket, interrupts.fd());
  if (!client) return tell(client.error(), settings);
  const Style style = style_of_stdout();
  client->on_notification([&](const json& event) {
    if (settings.json) {
      print_json(event);
    } else {
      print(event_text(event, style));
    }
  });
  const auto following = client->call("events", {{"ids", ids}});
  if (!following) return tell(following.error(), settings);
  while (!client->interrupted()) {
    const auto heard = client->listen(std::chrono::steady_clock::now() + std::chrono::hours(1));
    if (!heard) return tell(heard.error(), settings);
  }
  return Exit::done;
}

}  // namespace diagnose::cli
