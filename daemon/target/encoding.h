// The parts of one x86-64 instruction: prefixes, opcode, ModRM and what it addresses (Intel SDM vol. 2, chapter 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "target/answer.h"

namespace diagnose::target {

// Of an instruction whose length is already settled: the bytes are taken to be one.
struct Encoding {
  std::span<const std::uint8_t> bytes;
  bool operand_size = false;  // 66
  bool address_size = false;  // 67
  bool repeat = false;        // f2, f3
  bool lock = false;
  bool segment = false;      // 26, 2e, 36, 3e: the kernel refuses them all
  bool ds = false;           // 3e, which is `notrack` on an indirect jump
  bool thread = false;       // 64, 65: fs and gs
  bool late_prefix = false;  // behind a REX prefix, which is then void
  std::uint8_t rex = 0;
  bool vector = false;   // VEX, EVEX or XOP encoding
  std::uint8_t map = 0;  // 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a
  std::uint8_t opcode = 0;
  std::size_t modrm_at = 0;  // index of the byte behind the opcode

  [[nodiscard]] bool wide() const { return (rex & 8U) != 0; }  // 64-bit operands
  // The fields of the ModRM byte, which the opcode must be known to have.
  [[nodiscard]] unsigned mode() const { return modrm() >> 6U; }  // 3: a register, no memory
  [[nodiscard]] unsigned operation() const { return (modrm() >> 3U) & 7U; }
  [[nodiscard]] std::uint8_t reg() const;  // x86 encoding
  [[nodiscard]] std::uint8_t rm() const;   // of mode 3
  [[nodiscard]] std::uint8_t modrm() const { return modrm_at < bytes.size() ? bytes[modrm_at] : std::uint8_t{0}; }
  // The register in the opcode's low bits: push, pop, xchg, mov, bswap.
  [[nodiscard]] std::uint8_t opcode_register() const;
};
[[nodiscard]] Encoding encoding(std::span<const std::uint8_t> bytes);

// A memory operand: base + index * scale + displacement.
struct Memory {
  std::uint8_t base = register_none;
  std::uint8_t index = register_none;
  std::uint8_t scale = 1;
  std::int64_t displacement = 0;
};
// Of an instruction with a ModRM byte of mode 0, 1 or 2.
[[nodiscard]] Memory memory(const Encoding& part);

// A signed little-endian number of `size` bytes (1 or 4) at the end of the instruction.
[[nodiscard]] std::int64_t last_number(std::span<const std::uint8_t> bytes, std::size_t size);

}  // namespace diagnose::target
