// The text that an error points at, with a caret under the place.  Pure.
#pragma once

#include <string>
#include <string_view>

#include "cli/terminal.h"
#include "control/protocol.h"

namespace diagnose::cli {

// "    requ->x\n    ^\n"; of a long line the part around the place.  Empty if the error points at nothing.
[[nodiscard]] std::string excerpt(const control::PlacedError& error, const Style& style);

// `error` with the line of `text`, the contents of `file`, that its `where` (FILE:LINE:COL) names; as it is if that is
// a place elsewhere.
[[nodiscard]] control::PlacedError placed(Error error, const std::string& file, std::string_view text);

}  // namespace diagnose::cli
