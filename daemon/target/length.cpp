#include "target/length.h"

#include <array>

namespace diagnose::target {
namespace {

// What follows an opcode (Intel SDM vol. 2, appendix A, tables ).
enum Follows : std::uint8_t {
  plain = 0,
  modrm = 1,
  byte_number = 2,   // an immediate or a distance of 1 byte
  word_number = 4,   // of 2 bytes
  size_number = 8,   // of 4 bytes, of 2 with an operand-size prefix
  long_number = 16,  // a distance of 4 bytes in any case
  none = 128,        // no instruction in 64-bit mode, or one that is read elsewhere
};

constexpr std::array<std::uint8_t, 256> one_byte_table() {
  std::array<std::uint8_t, 256> table{};
  const auto fill = [&](unsigned from, unsigned to, unsigned follows) {
    for (unsigned i = from; i <= to; ++i) table[i] = static_cast<std::uint8_t>(follows);
  };
  for (unsigned group = 0; group < 0x40; group += 8) {
    fill(group, group + 3, modrm);
    fill(group + 4, group + 4, byte_number);
    fill(group + 5, group + 5, size_number);
    fill(group + 6, group + 7, none);
  }
  fill(0x60, 0x62, none);
  fill(0x63, 0x63, modrm);
  fill(0x68, 0x68, size_number);
  fill(0x69, 0x69, modrm | size_number);
  fill(0x6a, 0x6a, byte_number);
  fill(0x6b, 0x6b, modrm | byte_number);
  fill(0x70, 0x7f, byte_number);
  fill(0x80, 0x80, modrm | byte_number);
  fill(0x81, 0x81, modrm | size_number);
  fill(0x82, 0x82, none);
  fill(0x83, 0x83, modrm | byte_number);
  fill(0x84, 0x8f, modrm);
  fill(0x9a, 0x9a, none);
  fill(0xa8, 0xa8, byte_number);
  fill(0xa9, 0xa9, size_number);
  fill(0xb0, 0xb7, byte_number);
  fill(0xb8, 0xbf, size_number);  // of 8 bytes with REX.W
  fill(0xc0, 0xc1, modrm | byte_number);
  fill(0xc2, 0xc2, word_number);
  fill(0xc4, 0xc5, none);
  fill(0xc6, 0xc6, modrm | byte_number);
  fill(0xc7, 0xc7, modrm | size_number);
  fill(0xc8, 0xc8, word_number | byte_number);
  fill(0xca, 0xca, word_number);
  fill(0xcd, 0xcd, byte_number);
  fill(0xce, 0xce, none);
  fill(0xd0, 0xd3, modrm);
  fill(0xd4, 0xd6, none);
  fill(0xd8, 0xdf, modrm);
  fill(0xe0, 0xe7, byte_number);
  fill(0xe8, 0xe9, long_number);
  fill(0xea, 0xea, none);
  fill(0xeb, 0xeb, byte_number);
  fill(0xf6, 0xf7, modrm);  // and a number, if they are `test`
  fill(0xfe, 0xff, modrm);
  return table;
}

constexpr std::array<std::uint8_t, 256> two_byte_table() {
  std::array<std::uint8_t, 256> table{};
  const auto fill = [&](unsigned from, unsigned to, unsigned follows) {
    for (unsigned i = from; i <= to; ++i) table[i] = static_cast<std::uint8_t>(follows);
  };
  fill(0x00, 0xff, modrm);
  fill(0x04, 0x0c, plain);
  fill(0x04, 0x04, none);
  fill(0x0a, 0x0a, none);
  fill(0x0c, 0x0c, none);
  fill(0x0d, 0x0d, modrm);
  fill(0x0e, 0x0e, plain);
  fill(0x0f, 0x0f, modrm | byte_number);
  fill(0x24, 0x27, none);
  fill(0x30, 0x37, plain);
  fill(0x36, 0x36, none);
  fill(0x38, 0x3f, none);
  fill(0x70, 0x73, modrm | byte_number);
  fill(0x77, 0x77, plain);
  fill(0x80, 0x8f, long_number);
  fill(0xa0, 0xa2, plain);
  fill(0xa4, 0xa4, modrm | byte_number);
  fill(0xa6, 0xa7, none);
  fill(0xa8, 0xaa, plain);
  fill(0xac, 0xac, modrm | byte_number);
  fill(0xba, 0xba, modrm | byte_number);
  fill(0xc2, 0xc2, modrm | byte_number);
  fill(0xc4, 0xc6, modrm | byte_number);
  fill(0xc8, 0xcf, plain);
  return table;
}

constexpr auto one_byte = one_byte_table();
constexpr auto two_bytes = two_byte_table();

class Reading {
 public:
  explicit Reading(std::span<const std::uint8_t> code) : code_(code) {}

  std::size_t run() {
    take_prefixes();
    const std::uint8_t opcode = next();
    if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62) {
      vector(opcode);
    } else if (opcode == 0x8f && (peek() & 0x1fU) >= 8) {
      xop();
    } else if (opcode == 0x0f) {
      const std::uint8_t second = next();
      if (second == 0x38) {
        next();
        follow(modrm);
      } else if (second == 0x3a) {
        next();
        follow(modrm | byte_number);
      } else {
        follow(two_bytes[second]);
      }
    } else {
      plain_opcode(opcode);
    }
    constexpr std::size_t longest = 15;
    return bad_ || at_ > code_.size() || at_ > longest ? 0 : at_;
  }

 private:
  std::uint8_t peek() const { return at_ < code_.size() ? code_[at_] : std::uint8_t{0}; }
  std::uint8_t next() {
    const std::uint8_t byte = peek();
    ++at_;
    return byte;
  }

  // A REX that does not stand right before the opcode is passed over.
  void take_prefixes() {
    for (;; ++at_) {
      const std::uint8_t byte = peek();
      if ((byte & 0xf0U) == 0x40) {
        wide_ = (byte & 8U) != 0;
        continue;
      }
      const bool segment = byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 || byte == 0x65;
      const bool repeat = byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
      if (!segment && !repeat && byte != 0x66 && byte != 0x67) return;
      short_operand_ = short_operand_ || byte == 0x66;
      short_address_ = short_address_ || byte == 0x67;
      wide_ = false;
    }
  }

  void plain_opcode(std::uint8_t opcode) {
    if (opcode >= 0xa0 && opcode <= 0xa3) {
      at_ += short_address_ ? 4 : 8;
      return;
    }
    if (opcode >= 0xb8 && opcode <= 0xbf && wide_) {
      at_ += 8;
      return;
    }
    const bool tests = (opcode == 0xf6 || opcode == 0xf7) && (peek() & 0x38U) <= 8;
    unsigned follows = one_byte[opcode];
    if (tests) follows |= opcode == 0xf6 ? byte_number : size_number;
    follow(follows);
  }

  void follow(unsigned follows) {
    if (follows == none) bad_ = true;
    if ((follows & modrm) != 0) operand();
    if ((follows & byte_number) != 0) at_ += 1;
    if ((follows & word_number) != 0) at_ += 2;
    if ((follows & size_number) != 0) at_ += short_operand_ && !wide_ ? 2 : 4;
    if ((follows & long_number) != 0) at_ += 4;
  }

  // ModRM, SIB and displacement (Intel SDM vol. 2, tables 2-2 and 2-3).
  void operand() {
    const std::uint8_t byte = next();
    const unsigned mode = byte >> 6U;
    if (mode == 3) return;
    unsigned base = byte & 7U;
    if (base == 4) {
      base = next() & 7U;
      if (mode == 0 && base == 5) at_ += 4;
    } else if (mode == 0 && base == 5) {
      at_ += 4;
    }
    if (mode == 1) at_ += 1;
    if (mode == 2) at_ += 4;
  }

  void vector(std::uint8_t prefix) {
    unsigned map = 1;
    if (prefix != 0xc5) map = peek() & (prefix == 0xc4 ? 0x1fU : 7U);
    at_ += prefix == 0xc5 ? 1 : prefix == 0xc4 ? 2 : 3;
    const std::uint8_t opcode = next();
    if (map == 1) {
      if (opcode == 0x77) return;  // vzeroupper
      follow(modrm | (two_bytes[opcode] & byte_number));
    } else if (map == 2 || map == 5 || map == 6) {
      follow(modrm);
    } else if (map == 3) {
      follow(modrm | byte_number);
    } else {
      bad_ = true;
    }
  }

  void xop() {
    const unsigned map = peek() & 0x1fU;
    at_ += 3;
    follow(map == 8 ? modrm | byte_number : map == 9 ? unsigned{modrm} : modrm | long_number);
  }

  std::span<const std::uint8_t> code_;
  std::size_t at_ = 0;
  bool short_operand_ = false, short_address_ = false, wide_ = false, bad_ = false;
};

}  // namespace

std::size_t instruction_length(std::span<const std::uint8_t> code) {
  return Reading(code).run();
}

}  // namespace diagnose::target
