// Memory that is not resident (hazards.md 20): where the kernel lets a program sleep, a read that finds no page brings
// it in, as the target's own touch would, and reads again.
#pragma once

#include <linux/bpf.h>
#include <vector>

#include "compile/evaluation.h"

namespace diagnose::compile {

// The same function with its reads of user memory made so.  Their fast way is the same but for three stores.
[[nodiscard]] std::vector<bpf_insn> that_may_sleep(const std::vector<bpf_insn>& code);

[[nodiscard]] bool reads_memory(const Function& function);

// Every function of `probe` that reads user memory; says in `may_sleep` if there is one.
void let_sleep(ProbeEvaluation& probe);

}  // namespace diagnose::compile
