// DWARF numbers of the x86-64 registers (System V ABI for x86-64, figure 3.36), and their names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "target/answer.h"

namespace diagnose::target {

// The x86 encoding of a general register; nothing for any other.
[[nodiscard]] inline std::optional<std::uint8_t> general_register(std::uint64_t dwarf_number) {
  constexpr std::array<std::uint8_t, 16> encodings = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
  if (dwarf_number >= encodings.size()) return std::nullopt;
  return encodings[dwarf_number];
}

// Of a general register, by its x86 encoding: "%rdi".
[[nodiscard]] inline std::string general_register_name(std::uint8_t encoding) {
  constexpr std::array<const char*, 16> names = {"%rax", "%rcx", "%rdx", "%rbx", "%rsp", "%rbp", "%rsi", "%rdi",
                                                 "%r8",  "%r9",  "%r10", "%r11", "%r12", "%r13", "%r14", "%r15"};
  return encoding < names.size() ? names[encoding] : "a register";
}

// Of any register, by its DWARF number: "%xmm0", "%st(0)".
[[nodiscard]] inline std::string register_name(std::uint64_t dwarf_number) {
  if (const auto encoding = general_register(dwarf_number)) return general_register_name(*encoding);
  if (dwarf_number >= 17 && dwarf_number <= 32) return "%xmm" + std::to_string(dwarf_number - 17);
  if (dwarf_number >= 33 && dwarf_number <= 40) return "%st(" + std::to_string(dwarf_number - 33) + ")";
  if (dwarf_number >= 67 && dwarf_number <= 82) return "%xmm" + std::to_string(dwarf_number - 51);
  return "register " + std::to_string(dwarf_number);
}

}  // namespace diagnose::target
