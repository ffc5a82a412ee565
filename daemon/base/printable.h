// Text from outside (names, strings, paths of the programs under observation) on its way to a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace diagnose {

// Control characters, which could drive a terminal or forge a line, as \xNN: bytes below 0x20, 0x7f, and U+0080 to
// U+009F in UTF-8.  Everything else as it is.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace diagnose
