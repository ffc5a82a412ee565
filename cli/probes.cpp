#include <chrono>

#include "cli/fields.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

// One question, one answer, printed by `render` or as it is.
template <typename Render>
Exit ask(const std::string& method, const json& params, const Settings& settings, Render render) {
  auto client = Client::connect(settings.socket);
  if (!client) return tell(client.error(), settings);
  const auto answer = client->call(method, params);
  if (!answer) return tell(answer.error(), settings);
  if (settings.json) {
    print_json(*answer);
  } else {
    print(render(*answer));
  }
  return Exit::done;
}

}  // namespace

Exit detach(const std::vector<std::string>& ids, bool all, const Settings& settings) {
  const json params = all ? json{{"all", true}} : json{{"ids", ids}};
  return ask("detach", params, settings, [](const json& answer) {
    std::string text;
    for (const json& id : list_of(answer, "ids")) text += "detached " + scalar_text(id) + "\n";
    return text.empty() ? std::string("no probes\n") : text;
  });
}

Exit list(const Settings& settings) {
  return ask("list", json::object(), settings, [](const json& answer) { return list_text(answer, style_of_stdout()); });
}

Exit status(const std::string& id, const Settings& settings) {
  const json params = id.empty() ? json::object() : json{{"id", id}};
  return ask("status", params, settings, [](const json& answer) {
    return status_text(answer, style_of_stdout(), std::chrono::system_clock::now());
  });
}

Exit renew(const std::string& id, const std::string& lifespan, const Settings& settings) {
  json params = {{"id", id}};
  if (!lifespan.empty()) params["lifespan"] = lifespan;
  return ask("renew", params, settings, [](const json& answer) {
    const std::string expires = text_of(answer, "expires");
    std::string text;
    for (const json& renewed : list_of(answer, "ids")) {
      text += "renewed " + scalar_text(renewed) + ", expires " + (expires.empty() ? "never" : expires) + "\n";
    }
    return text;
  });
}

Exit version(const Settings& settings) {
  const std::string own = DIAGNOSE_VERSION;
  if (!settings.json) print("diagnosectl  " + own + "\n");
  auto client = Client::connect(settings.socket);
  if (!client) return tell(client.error(), settings);
  auto answer = client->call("version", json::object());
  if (!answer) return tell(answer.error(), settings);
  if (settings.json) {
    (*answer)["client"] = own;
    print_json(*answer);
  } else {
    print("diagnosed    " + text_of(*answer, "version") + "\nkernel       " + text_of(*answer, "kernel") + "\n");
  }
  return Exit::done;
}

}  // namespace diagnose::cli
