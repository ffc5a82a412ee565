#include <chrono>
#include <sys/stat.h>
#include <utility>

#include "cli/client.h"
#include "cli/fields.h"
#include "cli/render.h"
#include "cli/spec_files.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

bool is_spec_file(const AttachArguments& to) {
  const bool processes = !to.pids.empty() || !to.exe.empty() || !to.comm.empty() || to.all || !to.module.empty();
  if (processes) return false;
  struct stat status {};
  return to.function.ends_with(".yaml") || to.function.ends_with(".yml") ||
         (stat(to.function.c_str(), &status) == 0 && S_ISDIR(status.st_mode));
}

Exit explain_files(const ExplainArguments& arguments, const Settings& settings) {
  if (!arguments.attach.sample.empty()) {
    return tell(Failure{.exit = Exit::usage,
                        .errors = {Error{.what = "explain",
                                         .where = {},
                                         .why = "--sample takes one function, not a file",
                                         .mend = "give the function as `attach` takes it"}}},
                settings);
  }
  auto files = spec_files("explain", {arguments.attach.function});
  if (!files) return tell(files.error(), settings);
  const json params = {{"files", std::move(*files)}, {"bpf", arguments.bpf}};
  auto client = Client::connect(settings.socket);
  if (!client) return tell(client.error(), settings);
  const auto answer = client->call("explain", params);
  if (!answer) return tell(answer.error(), settings);
  if (settings.json) {
    print_json(*answer);
  } else {
    std::string text;
    for (const json& probe : list_of(*answer, "probes")) {
      text += (text.empty() ? "" : "\n") + explain_text(probe, style_of_stdout(), std::chrono::system_clock::now());
    }
    print(text);
    tell_failed(*answer, params["files"], settings);
  }
  return list_of(*answer, "failed").empty() ? Exit::done : Exit::refused;
}

}  // namespace

Exit explain(const ExplainArguments& arguments, const Settings& settings) {
  if (is_spec_file(arguments.attach)) return explain_files(arguments, settings);
  AttachArguments attach = arguments.attach;
  std::string time;
  if (attach.sample.find('/') == std::string::npos) time = std::exchange(attach.sample, {});  // else it is 1/N
  const auto spec = spec_of(attach);
  if (!spec) {
    Error error = spec.error();
    error.what = "explain";
    return tell(Failure{.exit = Exit::usage, .errors = {error}}, settings);
  }
  const std::string& given = attach.id;
  json params = {{"id", given.empty() ? fresh_id(place_name(attach)) : given}, {"spec", *spec}, {"bpf", arguments.bpf}};
  if (!time.empty()) params["sample"] = time;
  auto client = Client::connect(settings.socket);
  if (!client) return tell(client.error(), settings);
  const auto explained = client->call("explain", params);
  if (!explained) return tell(explained.error(), settings);
  if (settings.json) {
    print_json(*explained);
  } else {
    print(explain_text(*explained, style_of_stdout(), std::chrono::system_clock::now()));
  }
  return Exit::done;
}

}  // namespace diagnose::cli
