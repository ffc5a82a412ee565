// YAML text -> Document.  The only folder that names YAML::.  No exceptions leave it.
#pragma once

#include <string>
#include <string_view>

#include "spec/spec.h"

namespace diagnose::spec {

// Reads a whole file's text.  All faults are reported at once; a good probe beside a bad one is kept.  `lastmodified`
// is what a probe without that key gets.  Bounded by base/limits.h: size, depth, nodes after aliases, instruments. JSON
// is YAML, so messages from the control socket come through here as well.
[[nodiscard]] Document read(std::string_view text, const std::string& file_name,
                            lifespan::Clock::time_point lastmodified);

// Reads `path` (mtime is the default `lastmodified`).  An unreadable or too large file is one fault.
[[nodiscard]] Document read_file(const std::string& path);

// The known word nearest to `word`, or empty if none is near: "lable" -> "labels".
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace diagnose::spec
