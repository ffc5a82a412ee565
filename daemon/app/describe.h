// Debug information of the places of a module, with the debug files that the host has for it.
#pragma once

#include "base/result.h"
#include "base/units.h"
#include "compile/evaluation.h"
#include "target/answer.h"
#include "target/debug_info.h"
#include "target/resolver.h"

namespace diagnose::app {

// The address by which a place is asked about: the first byte of a function, or the very instruction.
[[nodiscard]] LinkAddress described_at(const target::Function& function);

// Of all functions of `module`, in their order.  Fails like the reader; a module without debug information is none.
[[nodiscard]] Result<target::DebugInfo> describe(target::FileReader& reader, const target::Module& module,
                                                 const compile::Names& names);

}  // namespace diagnose::app
