// Whether a function looks at the return address on its stack, where a return trampoline would show (hazard 1).
#pragma once

#include <cstddef>
#include <span>

#include "target/cfi.h"
#include "target/code.h"
#include "target/exits.h"

namespace diagnose::target {

// Cautious: true if it is not sure.  `lookups`: how often the call-frame information may still be asked; it is counted
// down, and at 0 the answer is true.  `frames` may be null.
[[nodiscard]] bool reads_return_address(Decoder& decoder, std::span<const Stretch> stretches, const CallFrames* frames,
                                        std::size_t& lookups);

}  // namespace diagnose::target
