#include "attach/syscall.h"

#include <array>

namespace diagnose::attach {

Fd load_empty_program(std::uint32_t attach_type) {
  constexpr std::array<bpf_insn, 2> nothing = {
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  auto options = sized<bpf_prog_load_opts>();
  options.expected_attach_type = static_cast<bpf_attach_type>(attach_type);
  return Fd(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "diagnose_empty", "GPL", nothing.data(), nothing.size(), &options));
}

}  // namespace diagnose::attach
