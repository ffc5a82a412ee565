// The words of messages: values as shown, nearest words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diagnose::spec {

// `text` cut to a line's length; control characters and what is no UTF-8 as \xNN: safe on a terminal and in JSON.
[[nodiscard]] std::string printable(std::string_view text);

// The same in backquotes.
[[nodiscard]] std::string ticked(std::string_view text);

// "0x7f"
[[nodiscard]] std::string hex(unsigned char byte);

// "`a`, `b` or `c`"
[[nodiscard]] std::string one_of(const std::vector<std::string>& words);

// "did you mean `labels`?" if a known word is near, else "use `a`, `b` or `c`".
[[nodiscard]] std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace diagnose::spec
