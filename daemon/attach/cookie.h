// The attach cookie of a site: what its program must know there (bpf/contract.h).
#pragma once

#include <cstdint>

#include "attach/loaded_probe.h"
#include "base/result.h"
#include "target/answer.h"

namespace diagnose::attach {

// `number`: of the function in its probe, for an entry.  Fails when the probe's map of sites is full.
[[nodiscard]] Result<std::uint64_t> cookie_of(LoadedProbe& probe, const target::Function* function,
                                              const target::Site& site, std::uint16_t number);

// Of a return trampoline: the function has returned, and rsp is the CFA.
[[nodiscard]] std::uint64_t trampoline_cookie();

}  // namespace diagnose::attach
