// The sandboxed reader's own side: `diagnosed --reader-fd N`.
#pragma once

#include "target/answer.h"
#include "target/confinement.h"

namespace diagnose::target {

// Confines this process, says over `socket` whether that worked, then answers requests with `reader` until the other
// end has gone.  Returns the status to exit with.
[[nodiscard]] int serve_reader(int socket, FileReader& reader, const Confinement& confinement = {});

}  // namespace diagnose::target
