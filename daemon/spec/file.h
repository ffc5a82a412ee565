// A file of specs or settings, read whole.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "lifespan/lifespan.h"
#include "spec/spec.h"

namespace diagnose::spec {

struct WholeFile {
  std::string text;
  lifespan::Clock::time_point modified;
};

// Regular files up to limits::spec_file_bytes; anything else is one fault.  Never blocks on a pipe.
[[nodiscard]] tl::expected<WholeFile, Fault> whole_file(const std::string& path);

}  // namespace diagnose::spec
