#include <array>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "compile/evaluation.h"

namespace diagnose::compile {
namespace {

std::string reg(unsigned number, bool wide = true) {
  return (wide ? "r" : "w") + std::to_string(number);
}

std::string hex(std::uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%" PRIx64, value);
  return text.data();
}

std::string sized(unsigned code) {
  switch (code & 0x18U) {
    case BPF_B:
      return "u8";
    case BPF_H:
      return "u16";
    case BPF_W:
      return "u32";
    default:
      return "u64";
  }
}

std::string memory(unsigned code, unsigned base, int offset) {
  return "*(" + sized(code) + " *)(" + reg(base) + (offset < 0 ? " " : " +") + std::to_string(offset) + ")";
}

std::string helper_name(int number) {
  switch (number) {
    case 1:
      return "bpf_map_lookup_elem";
    case 2:
      return "bpf_map_update_elem";
    case 3:
      return "bpf_map_delete_elem";
    case 5:
      return "bpf_ktime_get_ns";
    case 7:
      return "bpf_get_prandom_u32";
    case 8:
      return "bpf_get_smp_processor_id";
    case 14:
      return "bpf_get_current_pid_tgid";
    case 15:
      return "bpf_get_current_uid_gid";
    case 16:
      return "bpf_get_current_comm";
    case 35:
      return "bpf_get_current_task";
    case 67:
      return "bpf_get_stack";
    case 80:
      return "bpf_get_current_cgroup_id";
    case 112:
      return "bpf_probe_read_user";
    case 113:
      return "bpf_probe_read_kernel";
    case 114:
      return "bpf_probe_read_user_str";
    case 115:
      return "bpf_probe_read_kernel_str";
    case 125:
      return "bpf_ktime_get_boot_ns";
    case 131:
      return "bpf_ringbuf_reserve";
    case 132:
      return "bpf_ringbuf_submit";
    case 133:
      return "bpf_ringbuf_discard";
    case 156:
      return "bpf_task_storage_get";
    case 158:
      return "bpf_get_current_task_btf";
    case 160:
      return "bpf_ktime_get_coarse_ns";
    case 174:
      return "bpf_get_attach_cookie";
    case 181:
      return "bpf_loop";
    default:
      return "bpf_helper";
  }
}

std::string unknown(const bpf_insn& instruction) {
  return "(" + hex(instruction.code) + ")";
}

std::string arithmetic(const bpf_insn& instruction, bool wide) {
  static constexpr std::array<std::string_view, 14> operators = {
      "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "", "%=", "^=", "=", "s>>=", ""};
  const unsigned op = BPF_OP(instruction.code) >> 4U;
  const std::string to = reg(instruction.dst_reg, wide);
  if (op == BPF_NEG >> 4U) return to + " = -" + to;
  if (op >= operators.size() || operators[op].empty()) return unknown(instruction);
  const bool is_register = BPF_SRC(instruction.code) == BPF_X;
  return to + " " + std::string(operators[op]) + " " +
         (is_register ? reg(instruction.src_reg, wide) : std::to_string(instruction.imm));
}

std::string jump_target(std::size_t at, long long offset) {
  return "goto pc" + std::string(offset < 0 ? "" : "+") + std::to_string(offset) + " <" +
         std::to_string(static_cast<long long>(at) + 1 + offset) + ">";
}

std::string jump(const bpf_insn& instruction, std::size_t at, bool wide) {
  static constexpr std::array<std::string_view, 14> comparisons = {"",    "==", ">", ">=", "&",  "!=", "s>",
                                                                   "s>=", "",   "",  "<",  "<=", "s<", "s<="};
  const unsigned op = BPF_OP(instruction.code);
  if (op == BPF_EXIT) return "exit";
  if (op == BPF_CALL) {
    if (instruction.src_reg == BPF_PSEUDO_CALL) {
      return "call" + jump_target(at, instruction.imm).substr(4);
    }
    return "call " + helper_name(instruction.imm) + "#" + std::to_string(instruction.imm);
  }
  if (op == BPF_JA) return jump_target(at, wide ? instruction.off : instruction.imm);
  if (op >> 4U >= comparisons.size() || comparisons[op >> 4U].empty()) return unknown(instruction);
  const bool is_register = BPF_SRC(instruction.code) == BPF_X;
  return "if " + reg(instruction.dst_reg, wide) + " " + std::string(comparisons[op >> 4U]) + " " +
         (is_register ? reg(instruction.src_reg, wide) : std::to_string(instruction.imm)) + " " +
         jump_target(at, instruction.off);
}

std::string wide_load(const bpf_insn& low, const bpf_insn& high, std::size_t at) {
  const std::string to = reg(low.dst_reg) + " = ";
  if (low.src_reg == BPF_PSEUDO_MAP_FD) return to + "map[fd:" + std::to_string(low.imm) + "]";
  if (low.src_reg == BPF_PSEUDO_FUNC) return to + "function" + jump_target(at, low.imm).substr(4);
  const std::uint64_t bits =
      static_cast<std::uint64_t>(static_cast<std::uint32_t>(high.imm)) << 32U | static_cast<std::uint32_t>(low.imm);
  return to + hex(bits) + " ll";
}

std::string one(const bpf_insn& instruction, std::size_t at) {
  const unsigned code = instruction.code;
  switch (BPF_CLASS(code)) {
    case BPF_ALU64:
      return arithmetic(instruction, true);
    case BPF_ALU:
      return arithmetic(instruction, false);
    case BPF_JMP:
      return jump(instruction, at, true);
    case BPF_JMP32:
      return jump(instruction, at, false);
    case BPF_LDX:
      return reg(instruction.dst_reg) + " = " + memory(code, instruction.src_reg, instruction.off);
    case BPF_ST:
      return memory(code, instruction.dst_reg, instruction.off) + " = " + std::to_string(instruction.imm);
    case BPF_STX: {
      const std::string place = memory(code, instruction.dst_reg, instruction.off);
      if (BPF_MODE(code) == BPF_MEM) return place + " = " + reg(instruction.src_reg);
      if (BPF_MODE(code) == BPF_ATOMIC && instruction.imm == BPF_ADD) {
        return "lock " + place + " += " + reg(instruction.src_reg);
      }
      return "atomic " + place + ", " + reg(instruction.src_reg) + ", " +
             hex(static_cast<std::uint32_t>(instruction.imm));
    }
    default:
      return unknown(instruction);
  }
}

}  // namespace

std::string listing(const std::vector<bpf_insn>& instructions) {
  std::string text;
  for (std::size_t at = 0; at < instructions.size(); ++at) {
    const bpf_insn& instruction = instructions[at];
    const bool wide = instruction.code == (BPF_LD | BPF_DW | BPF_IMM) && at + 1 < instructions.size();
    const std::string number = std::to_string(at);
    text += std::string(number.size() < 4 ? 4 - number.size() : 0, ' ') + number + ": " +
            (wide ? wide_load(instruction, instructions[at + 1], at) : one(instruction, at)) + "\n";
    if (wide) ++at;
  }
  return text;
}

}  // namespace diagnose::compile
