// Whether one x86-64 instruction writes to memory.
#pragma once

#include "target/encoding.h"

namespace diagnose::target {

// What push and call put below rsp is left out.  Cautious: what is not known does.
[[nodiscard]] bool stores(const Encoding& part);

}  // namespace diagnose::target
