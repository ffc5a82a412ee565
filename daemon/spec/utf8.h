// UTF-8 as the Unicode standard has it (table 3-7): no overlong forms, no surrogates.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace diagnose::spec {

// Offset of the first byte that begins no character of text: invalid UTF-8, or a control character other than tab, line
// feed and carriage return (YAML 1.2, 5.1).  nullopt: all is text.
[[nodiscard]] std::optional<std::size_t> first_not_text(std::string_view bytes);

// Bytes of the character of text at the start of `bytes`, 1 to 4; 0 if there is none.
[[nodiscard]] std::size_t character_bytes(std::string_view bytes);

// The longest prefix of valid UTF-8 text with at most `bytes` bytes that ends between characters.
[[nodiscard]] std::string_view prefix(std::string_view text, std::size_t bytes);

}  // namespace diagnose::spec
