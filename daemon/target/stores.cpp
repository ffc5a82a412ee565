#include "target/stores.h"

namespace diagnose::target {
namespace {

bool stores_group(const Encoding& part) {  // c0 to ff
  const bool in_memory = part.mode() != 3;
  switch (part.opcode) {
    case 0xc2:
    case 0xc3:
    case 0xc9:
    case 0xd7:
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe8:
    case 0xe9:
    case 0xeb:
    case 0xf5:
    case 0xf8:
    case 0xf9:
    case 0xfc:
    case 0xfd:
      return false;
    case 0xf6:
    case 0xf7:
      return in_memory && (part.operation() == 2 || part.operation() == 3);  // not, neg
    case 0xff:
      return in_memory && part.operation() < 2;  // inc, dec
    default:                                     // shifts, moves of constants, the x87 unit
      return in_memory;
  }
}

bool stores_one_byte(const Encoding& part) {
  const std::uint8_t opcode = part.opcode;
  const bool in_memory = part.mode() != 3;
  constexpr unsigned cmp = 7;
  if (opcode < 0x40) return (opcode & 7U) < 2 && opcode >> 3U != cmp && in_memory;
  if (opcode < 0x50 || (opcode >= 0x60 && opcode <= 0x67 && opcode != 0x63)) return true;  // no opcode
  if (opcode >= 0xc0) return stores_group(part);
  if (opcode >= 0xb0) return false;
  switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x83:
      return part.operation() != cmp && in_memory;
    case 0x86:
    case 0x87:
    case 0x88:
    case 0x89:
    case 0x8c:
    case 0x8f:
      return in_memory;
    case 0xa2:
    case 0xa3:
    case 0xa4:
    case 0xa5:
    case 0xaa:
    case 0xab:
    case 0x6c:  // ins
    case 0x6d:
      return true;
    default:
      return false;
  }
}

bool stores_two_bytes(std::uint8_t opcode, bool in_memory, unsigned operation, bool repeat) {
  if (!in_memory) return opcode == 0x01 || opcode == 0x05 || opcode == 0xf7;  // system calls, maskmovq
  if (opcode >= 0x90 && opcode <= 0x9f) return true;                          // setcc
  switch (opcode) {
    case 0x11:
    case 0x13:
    case 0x17:
    case 0x29:
    case 0x2b:
    case 0x78:
    case 0x7f:
    case 0xa4:
    case 0xa5:
    case 0xab:
    case 0xac:
    case 0xad:
    case 0xae:
    case 0xb0:
    case 0xb1:
    case 0xb3:
    case 0xbb:
    case 0xc0:
    case 0xc1:
    case 0xc3:
    case 0xc7:
    case 0xd6:
    case 0xe7:
    case 0xf7:
      return true;
    case 0x7e:
      return !repeat;  // else movq from memory
    case 0xba:
      return operation != 4;  // else bt
    default:
      return opcode < 0x10 && opcode != 0x0d;  // of the system
  }
}

}  // namespace

bool stores(const Encoding& part) {
  if (part.vector) {
    const std::size_t opcode_at = part.modrm_at + (part.opcode == 0xc5 ? 1U : part.opcode == 0xc4 ? 2U : 3U);
    const unsigned map = part.opcode == 0xc5 ? 1U : part.modrm() & 7U;
    if (opcode_at + 1 >= part.bytes.size()) return true;
    const bool in_memory = part.bytes[opcode_at + 1] >> 6U != 3;
    if (map != 1 || (part.opcode != 0xc5 && part.opcode != 0xc4)) return in_memory;
    return stores_two_bytes(part.bytes[opcode_at], in_memory, 0, false);
  }
  switch (part.map) {
    case 0:
      return stores_one_byte(part);
    case 1:
      return stores_two_bytes(part.opcode, part.mode() != 3, part.operation(), part.repeat);
    case 2:
      return part.opcode >= 0x80 && part.mode() != 3;
    default:
      return part.mode() != 3;
  }
}

}  // namespace diagnose::target
