// Spec files on their way to the daemon, which reads none of a client's.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/outcome.h"
#include "cli/verbs.h"

namespace diagnose::cli {

// [{"name","text","lastmodified"}] of the files and of all *.yaml and *.yml of the directories, by name.  Fails with
// everything that cannot be read, and beyond what one message of `verb` holds.
[[nodiscard]] Outcome<nlohmann::json> spec_files(const std::string& verb, const std::vector<std::string>& paths);

// Says the errors of an answer's {"failed":[{"id","errors"}]}, with the lines of the `files` that were sent.
void tell_failed(const nlohmann::json& answer, const nlohmann::json& files, const Settings& settings);

}  // namespace diagnose::cli
