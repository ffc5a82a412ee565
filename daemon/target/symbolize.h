// Code addresses -> functions, by symbols: the reader's side of symbolize().
#pragma once

#include <vector>

#include "base/result.h"
#include "target/answer.h"

namespace diagnose::target {

// As FileReader says.
[[nodiscard]] Result<std::vector<Symbolized>> symbolize_places(const SymbolizeRequest& request);

}  // namespace diagnose::target
