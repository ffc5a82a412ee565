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

// events.cpp
[[nodiscard]] Exit events(const std::vector<std::string>& ids, const Settings& settings);

// check.cpp
[[nodiscard]] Exit check(const std::vector<std::string>& files, const Settings& settings);

// Says what went wrong, as text or as {"error":{..}}, a line each; returns the exit status.
Exit tell(const Failure& failure, const Settings& settings);
void tell(const Error& error, const Settings& settings);

void print_json(const nlohmann::json& value);

}  // namespace diagnose::cli
