#include "base/printable.h"

#include <cstddef>

namespace diagnose {
namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : static_cast<unsigned char>(0);
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string shown;
  shown.reserve(text.size());
  const auto escaped = [&](unsigned char byte) {
    shown += "\\x";
    shown += digits[byte >> 4U];
    shown += digits[byte & 0xFU];
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char byte = byte_at(text, i);
    const unsigned char next = byte_at(text, i + 1);
    if (byte < 0x20 || byte == 0x7F) {
      escaped(byte);
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      escaped(next);
      ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

}  // namespace diagnose
