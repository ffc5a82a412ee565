// The forms of a probe.  At several places the same is asked for, but lies elsewhere: the locations of a USDT marker,
// the statements of a line, functions that take it in another register.  One program serves them all, and the cookie of
// each breakpoint has the number of the form that holds there (bpf/contract.h).
//
// For probes of calls alone: where a call ends there is no cookie of its beginning.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "compile/evaluation.h"

namespace diagnose::compile {

// The program of one does for the other.
[[nodiscard]] bool same(const ProbeEvaluation& a, const ProbeEvaluation& b);

// Maps, keys and payloads of one do for the other, so that they can be forms of one probe.
[[nodiscard]] bool alike(const ProbeEvaluation& a, const ProbeEvaluation& b);

// What is signed or may be null in `other` is so in `common` too, for Subject::like.
void take_columns(ProbeEvaluation& common, const ProbeEvaluation& other);

// One evaluation for all of `forms`, whose number is their index; there must be one at least, all alike and of calls
// alone.  Nullopt: they are too large for one BPF function.
[[nodiscard]] std::optional<ProbeEvaluation> choosing(std::span<const ProbeEvaluation> forms);

}  // namespace diagnose::compile
