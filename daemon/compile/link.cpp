#include "compile/link.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "bpf/contract.h"

namespace diagnose::compile {
namespace {

constexpr bpf_insn move_register(std::uint8_t to, std::uint8_t from) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_X,
          .dst_reg = static_cast<std::uint8_t>(to & 0xfU),
          .src_reg = static_cast<std::uint8_t>(from & 0xfU),
          .off = 0,
          .imm = 0};
}

constexpr bpf_insn move_number(std::uint8_t to, std::int32_t number) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K,
          .dst_reg = static_cast<std::uint8_t>(to & 0xfU),
          .src_reg = 0,
          .off = 0,
          .imm = number};
}

constexpr bpf_insn load_half_word(std::uint8_t to, std::uint8_t base, std::size_t offset) {
  return {.code = BPF_LDX | BPF_MEM | BPF_W,
          .dst_reg = static_cast<std::uint8_t>(to & 0xfU),
          .src_reg = static_cast<std::uint8_t>(base & 0xfU),
          .off = static_cast<std::int16_t>(offset),
          .imm = 0};
}

constexpr bpf_insn atomic_add(std::uint8_t base, std::size_t offset, std::uint8_t from) {
  return {.code = BPF_STX | BPF_ATOMIC | BPF_DW,
          .dst_reg = static_cast<std::uint8_t>(base & 0xfU),
          .src_reg = static_cast<std::uint8_t>(from & 0xfU),
          .off = static_cast<std::int16_t>(offset),
          .imm = BPF_ADD};
}

constexpr bpf_insn jump(std::uint8_t code, std::uint8_t left, std::int32_t right, std::int16_t over) {
  return {.code = code, .dst_reg = static_cast<std::uint8_t>(left & 0xfU), .src_reg = 0, .off = over, .imm = right};
}

constexpr bpf_insn local_call = {
    .code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = BPF_PSEUDO_CALL, .off = 0, .imm = 0};
constexpr bpf_insn leave = {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};

}  // namespace

Linker::Number Linker::reserve() {
  pieces_.emplace_back();
  return pieces_.size() - 1;
}

Linker::Number Linker::add(std::vector<bpf_insn> instructions, std::optional<Number> as) {
  const Number number = as ? *as : reserve();
  pieces_[number].instructions = std::move(instructions);
  return number;
}

Linker::Number Linker::add(const Stencil& stencil, const Holes& holes, const Constants& constants, int instrument,
                           std::optional<Number> as) {
  std::vector<Number> numbers;
  for (std::size_t local = 0; local < stencil.functions.size(); ++local) {
    numbers.push_back(local == 0 && as ? *as : reserve());
  }
  for (std::size_t local = 0; local < stencil.functions.size(); ++local) {
    const StencilFunction& function = stencil.functions[local];
    Piece& piece = pieces_[numbers[local]];
    piece.instructions = function.instructions;
    for (const auto& call : function.calls) {
      const auto filler = holes.find(call.hole);
      if (call.hole == 0) {
        piece.calls.emplace_back(call.at, numbers[call.local]);
      } else if (filler != holes.end()) {
        piece.calls.emplace_back(call.at, filler->second);
      } else {
        piece.instructions[call.at] = move_number(BPF_REG_0, 1);
      }
    }
    for (const auto& map : function.maps) {
      piece.maps.push_back({.at = map.at, .role = map.role, .instrument = instrument});
    }
    for (const auto& constant : function.constants) {
      const auto value = constants.find(constant.number);
      if (value == constants.end()) continue;
      piece.instructions[constant.at].imm = static_cast<std::int32_t>(value->second & 0xffffffffU);
      if (constant.wide) piece.instructions[constant.at + 1].imm = static_cast<std::int32_t>(value->second >> 32U);
    }
  }
  return numbers.front();
}

Linker::Number Linker::add_sequence(const std::vector<Body>& bodies) {
  if (bodies.size() == 1 && !bodies.front().needs_result) return bodies.front().function;
  const Number number = reserve();
  Piece& piece = pieces_[number];
  auto& code = piece.instructions;
  code = {move_register(BPF_REG_6, BPF_REG_1), move_register(BPF_REG_7, BPF_REG_2),
          move_register(BPF_REG_8, BPF_REG_4)};
  for (const Body& body : bodies) {
    const std::vector<bpf_insn> call = {move_register(BPF_REG_1, BPF_REG_6), move_register(BPF_REG_2, BPF_REG_7),
                                        move_number(BPF_REG_3, 0), move_register(BPF_REG_4, BPF_REG_8), local_call};
    if (body.needs_result) {
      // Known: over the three that count the loss, to the call; else count, and over the call.
      code.push_back(load_half_word(BPF_REG_1, BPF_REG_7, offsetof(frame, outcome)));
      code.push_back(jump(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, OUTCOME_RESULT_UNKNOWN, 3));
      code.push_back(move_number(BPF_REG_1, 1));
      code.push_back(atomic_add(BPF_REG_8, (LEDGER_LOST_FIRST + unsigned{LOSS_RESULT}) * 8, BPF_REG_1));
      code.push_back(jump(BPF_JMP | BPF_JA, 0, 0, static_cast<std::int16_t>(call.size())));
    }
    code.insert(code.end(), call.begin(), call.end());
    piece.calls.emplace_back(code.size() - 1, body.function);
  }
  code.push_back(move_number(BPF_REG_0, 0));
  code.push_back(leave);
  return number;
}

Linked Linker::link() const {
  std::vector<std::size_t> starts;
  std::size_t size = 0;
  for (const Piece& piece : pieces_) {
    starts.push_back(size);
    size += piece.instructions.size();
  }
  Linked linked;
  linked.instructions.reserve(size);
  for (std::size_t number = 0; number < pieces_.size(); ++number) {
    const Piece& piece = pieces_[number];
    linked.instructions.insert(linked.instructions.end(), piece.instructions.begin(), piece.instructions.end());
    for (const auto& [at, callee] : piece.calls) {
      const auto from = static_cast<std::int64_t>(starts[number] + at + 1);
      linked.instructions[starts[number] + at].imm =
          static_cast<std::int32_t>(static_cast<std::int64_t>(starts[callee]) - from);
      linked.functions.push_back(static_cast<std::uint32_t>(starts[callee]));
    }
    for (Linked::MapUse map : piece.maps) {
      map.at += starts[number];
      linked.maps.push_back(map);
    }
  }
  linked.functions.push_back(0);
  std::sort(linked.functions.begin(), linked.functions.end());
  linked.functions.erase(std::unique(linked.functions.begin(), linked.functions.end()), linked.functions.end());
  return linked;
}

}  // namespace diagnose::compile
