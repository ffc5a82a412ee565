// How refused text stands in a message.
#pragma once

#include <string>
#include <string_view>

namespace diagnose::lifespan {

// At most 60 bytes of `text`, cut between UTF-8 characters.
inline std::string shown(std::string_view text) {
  std::size_t bytes = 60;
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80U) --bytes;
  return std::string(text.substr(0, bytes)) + "...";
}

}  // namespace diagnose::lifespan
