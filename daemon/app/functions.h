// `functions`: what could be probed in the files of a target.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "spec/spec.h"
#include "target/answer.h"
#include "target/processes.h"

namespace diagnose::app {

// {"functions": [{"name","symbol","module","address","size","file","line","inlined"}], "cut": whether there are more}.
// Fails if nothing matches, or no file of the target can be read.
[[nodiscard]] Result<nlohmann::json> functions_of(const target::ProcFs& proc, target::FileReader& reader,
                                                  const spec::Target& target);

// {"names": [..]}: the first few names, without parameters, each once.  Quick: for a shell's completion.
[[nodiscard]] Result<nlohmann::json> names_of(const target::ProcFs& proc, target::FileReader& reader,
                                              const spec::Target& target);

}  // namespace diagnose::app
