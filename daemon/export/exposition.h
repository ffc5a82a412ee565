// What both exposition formats share.
#pragma once

#include <string>
#include <string_view>

#include "metrics/registry.h"

namespace diagnose::exporter {

// Every family has help, for people and for `promtool check metrics`.
[[nodiscard]] std::string help_of(const metrics::Family& family);

// `text` with a backslash before each of `marks`; a newline among them becomes "\n".
[[nodiscard]] std::string escaped(std::string_view text, std::string_view marks);

}  // namespace diagnose::exporter
