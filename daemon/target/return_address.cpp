#include "target/return_address.h"

#include "target/encoding.h"

namespace diagnose::target {
namespace {

constexpr std::uint8_t rbp = 5;
constexpr std::uint8_t r10 = 10;  // holds the CFA while a function realigns its stack
constexpr std::uint8_t r13 = 13;  // likewise

// Where on the stack the instruction reads or points to, as far as it could be the return address.
std::optional<Memory> stack_operand(const Instruction& instruction) {
  const Encoding part = encoding(instruction.bytes);
  if (part.vector || part.map > 1) return std::nullopt;
  const std::uint8_t opcode = part.opcode;
  if (part.map == 1) {
    // The forms without a ModRM byte; the nops, whose operand is not touched.
    const bool none = opcode <= 0x0f || (opcode >= 0x18 && opcode <= 0x1f) || (opcode >= 0x30 && opcode <= 0x37) ||
                      opcode == 0x77 || (opcode >= 0x80 && opcode <= 0x8f) || (opcode >= 0xa0 && opcode <= 0xa2) ||
                      (opcode >= 0xa8 && opcode <= 0xaa) || (opcode >= 0xc8 && opcode <= 0xcf);
    if (none) return std::nullopt;
  } else {
    const bool arithmetic = opcode < 0x40 && (opcode & 7U) < 4;
    const bool moves = opcode == 0x63 || opcode == 0x69 || opcode == 0x6b || (opcode >= 0x80 && opcode <= 0x8f);
    const bool groups = opcode == 0xc0 || opcode == 0xc1 || opcode == 0xc6 || opcode == 0xc7 ||
                        (opcode >= 0xd0 && opcode <= 0xd3) || (opcode >= 0xd8 && opcode <= 0xdf) || opcode == 0xf6 ||
                        opcode == 0xf7 || opcode == 0xfe || opcode == 0xff;
    if (!arithmetic && !moves && !groups) return std::nullopt;
  }
  if (part.mode() == 3) return std::nullopt;
  const Memory operand = memory(part);
  switch (operand.base) {
    case register_sp:
      return operand.displacement >= 0 ? std::optional(operand) : std::nullopt;
    case rbp:
      return operand.displacement == 8 ? std::optional(operand) : std::nullopt;
    case r10:
    case r13:
      return operand.displacement == -8 ? std::optional(operand) : std::nullopt;
    default:
      return std::nullopt;
  }
}

// `pop`, which takes the return address if nothing else is on the stack.
bool pops(const Instruction& instruction) {
  const Encoding part = encoding(instruction.bytes);
  return !part.vector && part.map == 0 && ((part.opcode >= 0x58 && part.opcode <= 0x5f) || part.opcode == 0x8f);
}

bool reads_it(const Instruction& instruction, const CallFrames* frames, std::size_t& lookups) {
  const auto operand = stack_operand(instruction);
  const bool pop = pops(instruction);
  if (!operand && !pop) return false;
  if (frames == nullptr || lookups == 0) return true;
  --lookups;
  const auto rule = frames->at(instruction.address);
  if (!rule) return true;
  if (pop && *rule == CfaRule{}) return true;
  if (!operand || rule->indirect) return false;
  return operand->base == rule->cfa_register && operand->displacement == rule->offset - 8;
}

}  // namespace

bool reads_return_address(Decoder& decoder, std::span<const Stretch> stretches, const CallFrames* frames,
                          std::size_t& lookups) {
  for (const Stretch& stretch : stretches) {
    std::span<const std::uint8_t> rest = stretch.bytes;
    LinkAddress address = stretch.range.low;
    while (!rest.empty()) {
      const auto instruction = decoder.decode(rest, address);
      if (!instruction || reads_it(*instruction, frames, lookups)) return true;
      rest = rest.subspan(instruction->length);
      address = LinkAddress{raw(address) + instruction->length};
    }
  }
  return false;
}

}  // namespace diagnose::target
