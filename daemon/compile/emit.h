// What is to be computed -> BPF functions, after the contract of compile/evaluation.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compile/evaluation.h"
#include "compile/lower.h"

namespace diagnose::compile {

enum class Filter { here, in_admit };  // whether `evaluate` tests `where` and samples

// Nullopt: the expressions are too large for one BPF function.
[[nodiscard]] std::optional<Function> emit_evaluate(const Lowered& instrument, Filter filter);
[[nodiscard]] std::optional<Function> emit_admit(const Lowered& instrument);
// Nullopt likewise.
[[nodiscard]] std::optional<Function> emit_capture(const std::vector<Slot>& slots);

}  // namespace diagnose::compile
