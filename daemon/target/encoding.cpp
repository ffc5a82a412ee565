#include "target/encoding.h"

#include <cstring>

namespace diagnose::target {
namespace {

constexpr unsigned rex_b = 1;
constexpr unsigned rex_x = 2;
constexpr unsigned rex_r = 4;

// True if the byte is a legacy prefix.
bool take_prefix(Encoding& found, std::uint8_t byte) {
  switch (byte) {
    case 0x66:
      found.operand_size = true;
      return true;
    case 0x67:
      found.address_size = true;
      return true;
    case 0xf2:
    case 0xf3:
      found.repeat = true;
      return true;
    case 0xf0:
      found.lock = true;
      return true;
    case 0x3e:
      found.ds = true;
      found.segment = true;
      return true;
    case 0x26:
    case 0x2e:
    case 0x36:
      found.segment = true;
      return true;
    case 0x64:
    case 0x65:
      found.thread = true;
      return true;
    default:
      return false;
  }
}

std::uint8_t extended(unsigned number, const Encoding& part, unsigned rex_bit) {
  return static_cast<std::uint8_t>(number | ((part.rex & rex_bit) != 0 ? 8U : 0U));
}

}  // namespace

std::uint8_t Encoding::reg() const {
  return extended(operation(), *this, rex_r);
}

std::uint8_t Encoding::rm() const {
  return extended(modrm() & 7U, *this, rex_b);
}

std::uint8_t Encoding::opcode_register() const {
  return extended(opcode & 7U, *this, rex_b);
}

Encoding encoding(std::span<const std::uint8_t> bytes) {
  Encoding found;
  found.bytes = bytes;
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) { return i < bytes.size() ? bytes[i] : std::uint8_t{0}; };
  while (at < bytes.size() && take_prefix(found, bytes[at])) ++at;
  while ((byte(at) & 0xf0U) == 0x40) {
    found.rex = byte(at++);
    const std::size_t behind = at;
    while (at < bytes.size() && take_prefix(found, bytes[at])) ++at;
    if (at == behind) break;
    found.rex = 0;  // the processor passes over a REX prefix that does not stand right before the opcode
    found.late_prefix = true;
  }
  found.opcode = byte(at++);
  const bool xop = found.opcode == 0x8f && (byte(at) & 0x1fU) >= 8;
  found.vector = found.opcode == 0xc4 || found.opcode == 0xc5 || found.opcode == 0x62 || xop;
  if (!found.vector && found.opcode == 0x0f) {
    found.map = 1;
    found.opcode = byte(at++);
    if (found.opcode == 0x38 || found.opcode == 0x3a) {
      found.map = found.opcode == 0x38 ? 2 : 3;
      found.opcode = byte(at++);
    }
  }
  found.modrm_at = at;
  return found;
}

// Intel SDM vol. 2, tables 2-2 and 2-3.
Memory memory(const Encoding& part) {
  Memory found;
  const auto byte = [&](std::size_t i) { return i < part.bytes.size() ? part.bytes[i] : std::uint8_t{0}; };
  const unsigned mode = part.mode();
  const unsigned low = part.modrm() & 7U;
  std::size_t at = part.modrm_at + 1;
  bool wide = mode == 2;
  if (low == 4) {  // a SIB byte follows
    const std::uint8_t sib = byte(at++);
    const std::uint8_t index = extended((sib >> 3U) & 7U, part, rex_x);
    if (index != register_sp) {
      found.index = index;
      found.scale = static_cast<std::uint8_t>(1U << (sib >> 6U));
    }
    if ((sib & 7U) == 5 && mode == 0) {
      wide = true;
    } else {
      found.base = extended(sib & 7U, part, rex_b);
    }
  } else if (low == 5 && mode == 0) {
    found.base = register_ip;
    wide = true;
  } else {
    found.base = extended(low, part, rex_b);
  }
  const std::size_t size = wide ? 4 : mode == 1 ? 1 : 0;
  if (size != 0 && at + size <= part.bytes.size()) found.displacement = last_number(part.bytes.first(at + size), size);
  return found;
}

std::int64_t last_number(std::span<const std::uint8_t> bytes, std::size_t size) {
  if (bytes.empty()) return 0;
  if (size == 1) return static_cast<std::int8_t>(bytes.back());
  std::int32_t number = 0;
  if (bytes.size() >= sizeof number) std::memcpy(&number, &bytes[bytes.size() - sizeof number], sizeof number);
  return number;
}

}  // namespace diagnose::target
