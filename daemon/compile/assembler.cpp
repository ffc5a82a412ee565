#include "compile/assembler.h"

namespace diagnose::compile {
namespace {

// Far below the jumps' reach of 32,767, and more than any sensible expression needs.
constexpr std::size_t instructions_max = 16'384;

std::uint8_t width(std::uint8_t bytes) {
  switch (bytes) {
    case 1:
      return BPF_B;
    case 2:
      return BPF_H;
    case 4:
      return BPF_W;
    default:
      return BPF_DW;
  }
}

std::uint8_t opcode(unsigned a, unsigned b, unsigned c) {
  return static_cast<std::uint8_t>(a | b | c);
}

}  // namespace

Assembler::Label Assembler::label() {
  bound_.push_back(0);
  used_.push_back(false);
  return bound_.size() - 1;
}

void Assembler::bind(Label label) {
  bound_[label] = instructions_.size();
  if (used_[label]) unreachable_ = false;
}

void Assembler::add(std::uint8_t code, Register to, Register from, std::int32_t offset, std::int32_t value) {
  if (unreachable_) return;
  bpf_insn instruction{};
  instruction.code = code;
  instruction.dst_reg = to & 0xfU;
  instruction.src_reg = from & 0xfU;
  instruction.off = static_cast<std::int16_t>(offset);
  instruction.imm = value;
  instructions_.push_back(instruction);
}

void Assembler::add_jump(std::uint8_t code, Register left, Register right, std::int32_t value, Label to) {
  if (unreachable_) return;
  jumps_.push_back({instructions_.size(), to});
  used_[to] = true;
  add(code, left, right, 0, value);
}

void Assembler::move(Register to, Register from) {
  if (to != from) add(opcode(BPF_ALU64, BPF_MOV, BPF_X), to, from, 0, 0);
}

void Assembler::constant(Register to, std::int64_t value) {
  if (fits_immediate(value)) return add(opcode(BPF_ALU64, BPF_MOV, BPF_K), to, 0, 0, static_cast<std::int32_t>(value));
  const auto bits = static_cast<std::uint64_t>(value);
  add(opcode(BPF_LD, BPF_DW, BPF_IMM), to, 0, 0, static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)));
  add(0, 0, 0, 0, static_cast<std::int32_t>(bits >> 32U));
}

void Assembler::load(Register to, Register base, std::int32_t offset, std::uint8_t bytes) {
  add(opcode(BPF_LDX, BPF_MEM, width(bytes)), to, base, offset, 0);
}

void Assembler::store(Register base, std::int32_t offset, Register from) {
  add(opcode(BPF_STX, BPF_MEM, BPF_DW), base, from, offset, 0);
}

void Assembler::store_constant(Register base, std::int32_t offset, std::int32_t value) {
  add(opcode(BPF_ST, BPF_MEM, BPF_DW), base, 0, offset, value);
}

void Assembler::store_byte(Register base, std::int32_t offset, std::uint8_t value) {
  add(opcode(BPF_ST, BPF_MEM, BPF_B), base, 0, offset, value);
}

void Assembler::alu(std::uint8_t op, Register to, Register from) {
  add(opcode(BPF_ALU64, op, BPF_X), to, from, 0, 0);
}

void Assembler::alu_constant(std::uint8_t op, Register to, std::int32_t value) {
  add(opcode(BPF_ALU64, op, BPF_K), to, 0, 0, value);
}

void Assembler::negate(Register to) {
  add(opcode(BPF_ALU64, BPF_NEG, 0), to, 0, 0, 0);
}

void Assembler::low_word(Register to) {
  add(opcode(BPF_ALU, BPF_MOV, BPF_X), to, to, 0, 0);
}

void Assembler::jump(Label to) {
  add_jump(opcode(BPF_JMP, BPF_JA, 0), 0, 0, 0, to);
  unreachable_ = true;
}

void Assembler::jump_if(std::uint8_t op, Register left, Register right, Label to) {
  add_jump(opcode(BPF_JMP, op, BPF_X), left, right, 0, to);
}

void Assembler::jump_if_constant(std::uint8_t op, Register left, std::int32_t right, Label to) {
  add_jump(opcode(BPF_JMP, op, BPF_K), left, 0, right, to);
}

void Assembler::jump_if_word(std::uint8_t op, Register left, std::uint32_t right, Label to) {
  add_jump(opcode(BPF_JMP32, op, BPF_K), left, 0, static_cast<std::int32_t>(right), to);
}

void Assembler::call(BpfCall function) {
  add(opcode(BPF_JMP, BPF_CALL, 0), 0, 0, 0, static_cast<std::int32_t>(function));
}

void Assembler::add_atomically(Register base, std::int32_t offset, Register from) {
  add(opcode(BPF_STX, BPF_ATOMIC, BPF_DW), base, from, offset, BPF_ADD);
}

void Assembler::exit() {
  add(opcode(BPF_JMP, BPF_EXIT, 0), 0, 0, 0, 0);
  unreachable_ = true;
}

std::optional<std::vector<bpf_insn>> Assembler::finish() const {
  if (instructions_.size() > instructions_max) return std::nullopt;
  std::vector<bpf_insn> finished = instructions_;
  for (const Jump& jump : jumps_) {
    finished[jump.from].off = static_cast<std::int16_t>(bound_[jump.to] - jump.from - 1);
  }
  return finished;
}

}  // namespace diagnose::compile
