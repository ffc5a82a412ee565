// How a verb ends.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "base/result.h"
#include "control/protocol.h"

namespace diagnose::cli {

enum class Exit : int { done = 0, refused = 1, usage = 2, no_daemon = 3, interrupted = 130 };

struct Failure {
  Exit exit = Exit::refused;
  std::vector<control::PlacedError> errors;  // empty: there is nothing to say
  std::optional<Error> all = {};             // all of them in one, for those who read JSON; none: each by itself
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(Exit exit, Error error) {
  return tl::unexpected(Failure{.exit = exit, .errors = {std::move(error)}});
}

}  // namespace diagnose::cli
