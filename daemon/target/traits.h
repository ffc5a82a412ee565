// What a module's code may do with the stack, proved by reading it (design D4).
#pragma once

#include <string>

#include "base/result.h"
#include "target/answer.h"

namespace diagnose::target {

[[nodiscard]] Result<Traits> find_traits(int fd, const std::string& name);

}  // namespace diagnose::target
