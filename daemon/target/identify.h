// What a file says of itself and of those that belong to it: the reader's side of identify().
#pragma once

#include "target/answer.h"

namespace diagnose::target {

// As FileReader says.
[[nodiscard]] Identity identify_file(int fd);

}  // namespace diagnose::target
