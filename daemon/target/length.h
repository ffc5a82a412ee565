// How long an x86-64 instruction is, thirty times faster than by decoding it: for searches through all of a file's
// code. What a breakpoint is put on is decoded in full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace diagnose::target {

// Bytes of the instruction at the start of `code`; 0 if it is cut off or none that this knows.
[[nodiscard]] std::size_t instruction_length(std::span<const std::uint8_t> code);

}  // namespace diagnose::target
