// The verbs: each speaks to the daemon, prints, and returns the exit status.  Errors go to stderr here and nowhere
// else.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/outcome.h"

namespace diagnose::cli {

// What all verbs share.
struct Settings {
  std::string socket;
  bool json = false;
};

// attach.cpp, follow.cpp
[[nodiscard]] Exit attach(const AttachArguments& arguments, const Settings& settings);
// Draws and prints what the probe `id` brings until an interrupt or its end, then detaches it.
[[nodiscard]] Exit follow(Client& client, const std::string& id, const Settings& settings);

// apply.cpp
[[nodiscard]] Exit apply(const std::vector<std::string>& paths, const Settings& settings);

// probes.cpp
[[nodiscard]] Exit detach(const std::vector<std::string>& ids, bool all, const Settings& settings);
[[nodiscard]] Exit list(const Settings& settings);
[[nodiscard]] Exit status(const std::string& id, const Settings& settings);  // empty: all
[[nodiscard]] Exit renew(const std::string& id, const std::string& lifespan, const Settings& settings);
[[nodiscard]] Exit version(const Settings& settings);

// explain.cpp
struct ExplainArguments {
  // `function` may be a spec file, if nothing else is given; `sample` a time to count calls for.
  AttachArguments attach;
  bool bpf = false;
};
[[nodiscard]] Exit explain(const ExplainArguments& arguments, const Settings& settings);

// functions.cpp
[[nodiscard]] Exit functions(const AttachArguments& arguments, const Settings& settings);

// completion.cpp
// The script that makes SHELL (bash, zsh or fish) complete.
[[nodiscard]] Exit completion(const std::string& shell);
// What may stand where `line`, the command line up to the cursor, ends: one a line, and ":files" where files may.  Asks
// the daemon where it must, says nothing of failures.
[[nodiscard]] Exit complete(const std::string& shell, const std::string& line, const Settings& settings);

// events.cpp
[[nodiscard]] Exit events(const std::vector<std::string>& ids, const Settings& settings);

// check.cpp
[[nodiscard]] Exit check(const std::vector<std::string>& files, const Settings& settings);

// Says what went wrong, as {"error":{..}}, a line each, or as text: a line and, where the error has a place in a text,
// that text with a caret under the place.  Returns the exit status.
Exit tell(const Failure& failure, const Settings& settings);
void tell(const control::PlacedError& error, const Settings& settings);

void print_json(const nlohmann::json& value);

}  // namespace diagnose::cli
