#include <utility>

#include "cli/fields.h"
#include "cli/render.h"
#include "cli/spec_files.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;

Exit apply(const std::vector<std::string>& paths, const Settings& settings) {
  auto files = spec_files("apply", paths);
  // Nothing has been sent yet: a half-applied set is worse than none.
  if (!files) return tell(files.error(), settings);
  const json params = {{"files", std::move(*files)}};

  auto client = Client::connect(settings.socket);
  if (!client) return tell(client.error(), settings);
  const auto applied = client->call("apply", params);
  if (!applied) return tell(applied.error(), settings);
  if (settings.json) {
    print_json(*applied);
  } else {
    print(apply_text(*applied));
    tell_failed(*applied, params["files"], settings);
  }
  return list_of(*applied, "failed").empty() ? Exit::done : Exit::refused;
}

}  // namespace diagnose::cli
