#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <set>
#include <string_view>

#include "cli/client.h"
#include "cli/command_line.h"
#include "cli/complete.h"
#include "cli/fields.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

constexpr std::string_view bash_script = R"script(# bash completion of diagnosectl: what may follow is asked of itself.
_diagnosectl() {
  local found
  COMPREPLY=()
  found=$("${COMP_WORDS[0]}" complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) || return 0
  if [[ $found == *:files ]]; then
    compopt -o default
    return 0
  fi
  [[ -n $found ]] && mapfile -t COMPREPLY <<<"$found"
  # Behind `--option=` and `MODULE:` more is to be written.
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]]; then compopt -o nospace; fi
}
complete -F _diagnosectl diagnosectl
)script";

constexpr std::string_view zsh_script = R"script(#compdef diagnosectl
# zsh completion of diagnosectl: what may follow is asked of itself.
_diagnosectl() {
  local -a found
  found=("${(@f)$(${words[1]} complete zsh "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
  if [[ ${found[-1]} == ":files" ]]; then
    _files
    return
  fi
  found=(${found:#})
  (( ${#found} )) && compadd -- "${found[@]}"
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _diagnosectl "$@"
else
  compdef _diagnosectl diagnosectl
fi
)script";

constexpr std::string_view fish_script = R"script(# fish completion of diagnosectl: what may follow is asked of itself.
function __diagnosectl_complete
    set -l found (diagnosectl complete fish (commandline -cp | string collect) 2>/dev/null)
    if test "$found[-1]" = ":files"
        __fish_complete_path (commandline -ct)
        return
    end
    printf '%s\n' $found
end
complete -c diagnosectl -f -a '(__diagnosectl_complete)'
)script";

constexpr auto patience = std::chrono::seconds(2);  // somebody waits at a prompt

// Nothing where the daemon cannot be asked, or says no.
json asked(const std::string& socket, const std::string& method, const json& params) {
  auto client = Client::connect(socket);
  if (!client) return json::object();
  client->set_patience(patience);
  return client->call(method, params).value_or(json::object());
}

void add_functions(const Offer& made, const std::string& socket, std::set<std::string>& words) {
  const auto target = target_of(made.arguments);
  if (!target) return;
  const json answer = asked(socket, "functions", {{"target", *target}, {"names", true}});
  for (const json& name : list_of(answer, "names")) words.insert(made.head + scalar_text(name));
}

void add_probes(const Offer& made, const std::string& socket, std::set<std::string>& words) {
  const json answer = asked(socket, "list", json::object());
  for (const json& probe : list_of(answer, "probes")) words.insert(made.head + text_of(probe, "id"));
}

void add_pids(const Offer& made, std::set<std::string>& words) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; })) words.insert(made.head + name);
  }
}

}  // namespace

Exit completion(const std::string& shell) {
  print(shell == "bash" ? bash_script : shell == "zsh" ? zsh_script : fish_script);
  return Exit::done;
}

Exit complete(const std::string& shell, const std::string& text, const Settings& settings) {
  const Line line = split_line(text);
  const Offer made = offer(verb_shapes(), line);
  const std::string& socket = made.socket.empty() ? settings.socket : made.socket;
  std::set<std::string> words;
  for (const std::string& word : made.words) words.insert(made.head + word);
  if (made.ask == Offer::Ask::functions) add_functions(made, socket, words);
  if (made.ask == Offer::Ask::probes) add_probes(made, socket, words);
  if (made.ask == Offer::Ask::pids) add_pids(made, words);
  std::string shown;
  for (const std::string& word : words) {
    if (word.starts_with(line.words.back())) shown += candidate(shell, line, word) + "\n";
  }
  if (made.ask == Offer::Ask::files) shown += ":files\n";
  print(shown);
  return Exit::done;
}

}  // namespace diagnose::cli
