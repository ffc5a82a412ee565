#include "target/effects.h"

#include <bit>

#include "target/encoding.h"
#include "target/stores.h"

namespace diagnose::target {
namespace {

constexpr std::uint8_t rax = 0;
constexpr std::uint8_t rcx = 1;
constexpr std::uint8_t rdx = 2;
constexpr std::uint8_t rbx = 3;
constexpr std::uint8_t rbp = 5;
constexpr std::uint8_t rsi = 6;
constexpr std::uint8_t rdi = 7;
constexpr std::uint8_t r11 = 11;

constexpr std::uint16_t bits(std::initializer_list<std::uint8_t> registers) {
  std::uint16_t mask = 0;
  for (const std::uint8_t number : registers) mask = static_cast<std::uint16_t>(mask | register_bit(number));
  return mask;
}

// Without a REX prefix, byte registers 4 to 7 are ah, ch, dh and bh.
std::uint8_t byte_register(const Encoding& part, std::uint8_t number) {
  return part.rex == 0 && number >= 4 && number < 8 ? static_cast<std::uint8_t>(number - 4U) : number;
}

std::uint16_t reg(const Encoding& part, bool byte = false) {
  return register_bit(byte ? byte_register(part, part.reg()) : part.reg());
}

// The ModRM operand, if it is a register.
std::uint16_t rm(const Encoding& part, bool byte = false) {
  if (part.mode() != 3) return 0;
  return register_bit(byte ? byte_register(part, part.rm()) : part.rm());
}

std::uint16_t both(const Encoding& part, bool byte = false) {
  return static_cast<std::uint16_t>(reg(part, byte) | rm(part, byte));
}

// add or adc sbb and sub xor cmp: 00 to 3f, in eight forms each.
std::uint16_t arithmetic(const Encoding& part) {
  const unsigned operation = part.opcode >> 3U;
  constexpr unsigned cmp = 7;
  if (operation == cmp) return 0;
  switch (part.opcode & 7U) {
    case 0:
    case 1:
      return rm(part, (part.opcode & 1U) == 0);
    case 2:
    case 3:
      return reg(part, (part.opcode & 1U) == 0);
    case 4:
    case 5:
      return register_bit(rax);
    default:
      return every_register;
  }
}

std::uint16_t group_3(const Encoding& part) {  // f6, f7
  const unsigned operation = part.operation();
  if (operation < 2) return 0;  // test
  return operation < 4 ? rm(part, part.opcode == 0xf6) : bits({rax, rdx});
}

std::uint16_t group_5(const Encoding& part) {  // fe, ff
  const unsigned operation = part.operation();
  if (operation < 2) return rm(part, part.opcode == 0xfe);
  if (part.opcode == 0xff && (operation == 4 || operation == 6)) return 0;  // jmp, push
  return every_register;
}

std::uint16_t strings(const Encoding& part) {  // a4 to af
  switch (part.opcode & 0xfeU) {
    case 0xa4:
    case 0xa6:
      return bits({rcx, rsi, rdi});
    case 0xaa:
    case 0xae:
      return bits({rcx, rdi});
    case 0xac:
      return bits({rax, rcx, rsi});
    default:  // test
      return 0;
  }
}

std::uint16_t high_one_byte(const Encoding& part) {  // c0 to ff
  const std::uint8_t opcode = part.opcode;
  switch (opcode) {
    case 0xc0:
    case 0xd0:
    case 0xd2:
      return rm(part, true);
    case 0xc1:
    case 0xd1:
    case 0xd3:
      return rm(part);
    case 0xc6:
    case 0xc7:
      return part.operation() == 0 ? rm(part, opcode == 0xc6) : every_register;
    case 0xc9:
      return bits({register_sp, rbp});
    case 0xd7:
    case 0xdf:  // fnstsw %ax
      return register_bit(rax);
    case 0xe0:
    case 0xe1:
    case 0xe2:
      return register_bit(rcx);
    case 0xf6:
    case 0xf7:
      return group_3(part);
    case 0xfe:
    case 0xff:
      return group_5(part);
    case 0xc2:  // returns, jumps, the x87 unit, flags
    case 0xc3:
    case 0xe3:
    case 0xe9:
    case 0xeb:
    case 0xf4:
    case 0xf5:
    case 0xf8:
    case 0xf9:
    case 0xfc:
    case 0xfd:
      return 0;
    default:
      return opcode >= 0xd8 && opcode <= 0xde ? std::uint16_t{0} : every_register;
  }
}

std::uint16_t one_byte(const Encoding& part) {
  const std::uint8_t opcode = part.opcode;
  if (opcode < 0x40) return arithmetic(part);
  if (opcode < 0x50) return every_register;
  if (opcode < 0x58) return 0;                                     // push
  if (opcode < 0x60) return register_bit(part.opcode_register());  // pop
  if (opcode >= 0x70 && opcode <= 0x7f) return 0;                  // jcc
  if (opcode >= 0xa4 && opcode <= 0xaf) return strings(part);
  if (opcode >= 0xb0 && opcode <= 0xb7) return register_bit(byte_register(part, part.opcode_register()));
  if (opcode >= 0xb8 && opcode <= 0xbf) return register_bit(part.opcode_register());
  if (opcode >= 0xc0) return high_one_byte(part);
  if (opcode > 0x90 && opcode <= 0x97) return static_cast<std::uint16_t>(register_bit(part.opcode_register()) | 1U);
  switch (opcode) {
    case 0x63:
    case 0x69:
    case 0x6b:
    case 0x8b:
    case 0x8d:
      return reg(part);
    case 0x8a:
      return reg(part, true);
    case 0x80:
    case 0x81:
    case 0x83:
      return part.operation() == 7 ? std::uint16_t{0} : rm(part, opcode == 0x80);
    case 0x86:
    case 0x87:
      return both(part, opcode == 0x86);
    case 0x88:
      return rm(part, true);
    case 0x89:
    case 0x8c:
    case 0x8f:
      return rm(part);
    case 0x90:
      return (part.rex & 1U) != 0 ? bits({rax, 8}) : std::uint16_t{0};
    case 0x98:
    case 0x9f:
    case 0xa0:
    case 0xa1:
      return register_bit(rax);
    case 0x99:
      return register_bit(rdx);
    case 0x68:  // push, test, fwait, flags, stores
    case 0x6a:
    case 0x84:
    case 0x85:
    case 0x9b:
    case 0x9c:
    case 0x9d:
    case 0x9e:
    case 0xa2:
    case 0xa3:
      return 0;
    default:
      return every_register;
  }
}

std::uint16_t high_two_bytes(const Encoding& part) {  // 0f 80 to 0f ff
  const std::uint8_t opcode = part.opcode;
  if (opcode <= 0x8f) return 0;
  if (opcode <= 0x9f) return rm(part, true);  // setcc
  if (opcode >= 0xc8 && opcode <= 0xcf) return register_bit(part.opcode_register());
  switch (opcode) {
    case 0xa2:
      return bits({rax, rcx, rdx, rbx});
    case 0xa4:
    case 0xa5:
    case 0xab:
    case 0xac:
    case 0xad:
    case 0xb3:
    case 0xbb:
      return rm(part);
    case 0xae:  // fences, saves; rdfsbase and its like write a register
      return rm(part);
    case 0xba:
      return part.operation() == 4 ? std::uint16_t{0} : rm(part);
    case 0xaf:
    case 0xb6:
    case 0xb7:
    case 0xb8:
    case 0xbc:
    case 0xbd:
    case 0xbe:
    case 0xbf:
    case 0xc5:
    case 0xd7:
      return reg(part);
    case 0xb0:
    case 0xb1:
      return static_cast<std::uint16_t>(rm(part, opcode == 0xb0) | register_bit(rax));
    case 0xc0:
    case 0xc1:
      return both(part, opcode == 0xc0);
    case 0xc7:
      return part.operation() == 1 && part.mode() != 3 ? bits({rax, rdx}) : every_register;
    case 0xa0:
    case 0xa1:
    case 0xa3:
    case 0xa8:
    case 0xa9:
    case 0xc2:
    case 0xc3:
    case 0xc4:
    case 0xc6:
      return 0;
    default:  // SSE of registers and memory of its own
      return opcode >= 0xd0 && opcode <= 0xfe ? std::uint16_t{0} : every_register;
  }
}

std::uint16_t two_bytes(const Encoding& part) {
  const std::uint8_t opcode = part.opcode;
  if (opcode >= 0x80) return high_two_bytes(part);
  if (opcode >= 0x40 && opcode <= 0x4f) return reg(part);  // cmov
  switch (opcode) {
    case 0x05:
      return bits({rax, rcx, r11});
    case 0x31:
      return bits({rax, rdx});
    case 0x1e:  // nops, among them endbr64; rdssp writes its operand
      return part.repeat && part.operation() == 1 ? rm(part) : std::uint16_t{0};
    case 0x7e:  // movd to a register
      return rm(part);
    case 0x2c:  // conversions to integers
    case 0x2d:
    case 0x50:  // movmskps
      return reg(part);
    case 0x0b:
    case 0x0d:
      return 0;
    default:
      break;
  }
  const bool sse = (opcode >= 0x10 && opcode <= 0x1f) || (opcode >= 0x28 && opcode <= 0x2f) ||
                   (opcode >= 0x51 && opcode <= 0x77) || opcode == 0x7c || opcode == 0x7d || opcode == 0x7f;
  return sse ? std::uint16_t{0} : every_register;
}

std::uint16_t three_bytes(const Encoding& part) {
  const std::uint8_t opcode = part.opcode;
  if (part.map == 2) {
    if (opcode == 0xf0 || opcode == 0xf1) return both(part);  // movbe, crc32
    if (opcode == 0xf6) return reg(part);                     // adcx, adox
    return opcode < 0x80 || (opcode >= 0xc8 && opcode <= 0xdf) ? std::uint16_t{0} : every_register;
  }
  if (opcode >= 0x14 && opcode <= 0x17) return rm(part);           // pextr
  if (opcode >= 0x60 && opcode <= 0x63) return register_bit(rcx);  // pcmpistri
  const bool sse = opcode <= 0x22 || (opcode >= 0x40 && opcode <= 0x44) || opcode == 0xcc || opcode == 0xdf;
  return sse ? std::uint16_t{0} : every_register;
}

// AVX works on registers of its own, but for a few opcodes in each map (Intel SDM vol. 2, instructions with a VEX or
// EVEX encoding and an r32 or r64 operand).
std::uint16_t vector(const Encoding& part) {
  const auto byte = [&](std::size_t i) { return i < part.bytes.size() ? part.bytes[i] : std::uint8_t{0}; };
  std::size_t at = part.modrm_at;
  unsigned map = 0;
  switch (part.opcode) {
    case 0xc5:
      map = 1;
      at += 1;
      break;
    case 0xc4:
      map = byte(at) & 0x1fU;
      at += 2;
      break;
    case 0x62:
      map = byte(at) & 7U;
      at += 3;
      break;
    default:
      return every_register;
  }
  const std::uint8_t opcode = byte(at);
  const auto any_of = [&](std::initializer_list<std::uint8_t> opcodes) {
    for (const std::uint8_t candidate : opcodes) {
      if (opcode == candidate) return true;
    }
    return false;
  };
  bool general = true;
  if (map == 1) general = any_of({0x2c, 0x2d, 0x50, 0x78, 0x79, 0x7e, 0x93, 0xc5, 0xd7});
  if (map == 2) general = opcode >= 0xe0;
  if (map == 3) general = any_of({0x14, 0x15, 0x16, 0x17, 0x60, 0x61, 0x62, 0x63, 0xf0});
  return general ? every_register : std::uint16_t{0};
}

// What push, pop and their like add to rsp.
std::optional<std::int64_t> stack_move(const Encoding& part) {
  const std::int64_t size = part.operand_size && !part.wide() ? 2 : 8;
  if (part.vector || part.map > 1) return std::nullopt;
  const std::uint8_t opcode = part.opcode;
  if (part.map == 1) {
    if (opcode == 0xa0 || opcode == 0xa8) return -size;
    if (opcode == 0xa1 || opcode == 0xa9) return size;
    return std::nullopt;
  }
  if ((opcode >= 0x50 && opcode <= 0x57) || opcode == 0x68 || opcode == 0x6a || opcode == 0x9c) return -size;
  if ((opcode >= 0x58 && opcode <= 0x5f) || opcode == 0x8f || opcode == 0x9d) return size;
  if (opcode == 0xff && part.operation() == 6) return -size;
  return std::nullopt;
}

// `add`, `sub` or `lea` of a number to rsp.
std::optional<std::int64_t> plain_sp_move(const Encoding& part) {
  if (part.vector || part.map != 0 || !part.wide() || part.address_size) return std::nullopt;
  const bool immediate = part.opcode == 0x83 || part.opcode == 0x81;
  if (immediate && part.mode() == 3 && part.rm() == register_sp) {
    const std::int64_t number = last_number(part.bytes, part.opcode == 0x83 ? 1 : 4);
    if (part.operation() == 0) return number;
    if (part.operation() == 5) return -number;
  }
  if (part.opcode == 0x8d && part.reg() == register_sp && part.mode() != 3) {
    const Memory operand = memory(part);
    if (operand.base == register_sp && operand.index == register_none) return operand.displacement;
  }
  return std::nullopt;
}

std::optional<Effects::Copy> register_move(const Encoding& part) {
  if (part.vector || part.map != 0 || !part.wide() || part.mode() != 3) return std::nullopt;
  if (part.opcode == 0x89) return Effects::Copy{.to = part.rm(), .from = part.reg()};
  if (part.opcode == 0x8b) return Effects::Copy{.to = part.reg(), .from = part.rm()};
  return std::nullopt;
}

std::optional<Effects::Copy> register_exchange(const Encoding& part) {
  if (part.vector || part.map != 0 || !part.wide()) return std::nullopt;
  if (part.opcode == 0x87 && part.mode() == 3) return Effects::Copy{.to = part.rm(), .from = part.reg()};
  if (part.opcode >= 0x90 && part.opcode <= 0x97) return Effects::Copy{.to = part.opcode_register(), .from = rax};
  return std::nullopt;
}

std::uint16_t written(const Encoding& part) {
  if (part.vector) return vector(part);
  switch (part.map) {
    case 0:
      return one_byte(part);
    case 1:
      return two_bytes(part);
    default:
      return three_bytes(part);
  }
}

}  // namespace

Effects effects(const Instruction& instruction) {
  const Encoding part = encoding(instruction.bytes);
  Effects found;
  found.writes = written(part);
  found.copy = register_move(part);
  found.exchange = register_exchange(part);
  found.stores = stores(part);
  const bool sp_written = (found.writes & register_bit(register_sp)) != 0;
  if (const auto move = stack_move(part)) {
    if (!sp_written) found.sp_move = move;  // else `pop %rsp`
  } else {
    found.sp_move = sp_written ? plain_sp_move(part) : std::optional<std::int64_t>(0);
  }
  return found;
}

bool waits(const Instruction& instruction) {
  const Encoding part = encoding(instruction.bytes);
  if (part.vector) return false;
  const std::uint8_t opcode = part.opcode;
  if (part.map == 1) return opcode == 0x01 || opcode == 0x05 || opcode == 0x07 || opcode == 0x34 || opcode == 0x35;
  if (part.map != 0) return false;
  const bool string = (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xaf);
  return (part.repeat && string) || (opcode >= 0xcc && opcode <= 0xcf) || opcode == 0xf1 || opcode == 0xf4;
}

bool keeps_stack(const Instruction& instruction) {
  if (effects(instruction).sp_move) return true;
  const Encoding part = encoding(instruction.bytes);
  if (part.vector || part.map != 0) return false;
  if (part.opcode == 0xc9) return true;  // leave
  if (!part.wide()) return false;
  const auto copy = register_move(part);
  if (copy) return copy->to == register_sp && copy->from == rbp;
  if (part.opcode == 0x8d && part.mode() != 3) {  // lea; r10 and r13 hold the CFA where the stack is realigned
    const Memory operand = memory(part);
    const bool frame = operand.base == rbp || operand.base == 10 || operand.base == 13;
    return frame && operand.index == register_none;
  }
  const bool and_number = (part.opcode == 0x83 || part.opcode == 0x81) && part.mode() == 3 && part.operation() == 4;
  return and_number && part.rm() == register_sp;
}

void Follow::step(const Effects& done) {
  const auto holds = [&](std::uint8_t number) { return (holders_ & register_bit(number)) != 0; };
  const auto with = [](std::uint16_t mask, std::uint8_t number, bool held) {
    return static_cast<std::uint16_t>(held ? mask | register_bit(number) : mask & ~register_bit(number));
  };
  if (done.exchange) {
    const bool to = holds(done.exchange->to);
    const bool from = holds(done.exchange->from);
    holders_ = with(with(holders_, done.exchange->to, from), done.exchange->from, to);
  } else if (done.copy) {
    holders_ = with(holders_, done.copy->to, holds(done.copy->from));
  } else {
    holders_ = static_cast<std::uint16_t>(holders_ & ~done.writes);
  }
}

std::uint8_t Follow::where() const {
  if (holders_ == 0) return register_none;
  return static_cast<std::uint8_t>(std::countr_zero(holders_));
}

}  // namespace diagnose::target
