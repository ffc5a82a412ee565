// Globals that expressions name by their module: `libx.so!counter`.
#pragma once

#include <vector>

#include "compile/evaluation.h"
#include "target/processes.h"
#include "target/resolver.h"

namespace diagnose::app {

// All of names.others, those that cannot be had with the reason; of the probe on `module` with `target`.  Types are
// added to those of `debug`, what is known of the module.  Another module is at a place of its own in each process, so
// its globals are for probes of one.  Waits for the reader.
[[nodiscard]] std::vector<compile::OtherGlobal> other_globals(const target::ProcFs& proc, target::FileReader& reader,
                                                              const compile::Names& names, const spec::Target& target,
                                                              const target::Module& module, target::DebugInfo& debug);

}  // namespace diagnose::app
