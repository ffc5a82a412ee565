// Results and errors.  An error says what failed, where, why, and how to mend it; the text is made in one place.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace diagnose {

struct Error {
  std::string what;   // what was tried: "attach `checkout`"
  std::string where;  // the place: a file, FILE:LINE:COL, MODULE:FUNCTION; may be empty
  std::string why;    // the reason, in the reader's words
  std::string mend;   // what to do about it; may be empty

  // "what: where: why: how to mend", empty parts left out, control characters as \xNN: always one line.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Error&, const Error&) = default;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> failure(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// The words for an errno value, translated where the kernel's own mislead: "524" is "this instruction cannot be
// probed".
[[nodiscard]] std::string errno_text(int error_number);

}  // namespace diagnose
