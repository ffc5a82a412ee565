// Instructions with labels -> bpf_insn (BPF ISA v3: 32-bit jumps, atomic add, no signed division).  All jumps go
// forward. Code that no jump or fall-through reaches is dropped: the verifier refuses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/bpf.h>
#include <optional>
#include <vector>

namespace diagnose::compile {

using Register = std::uint8_t;  // BPF_REG_0..BPF_REG_10

// Helpers, by their number in the kernel's ABI (enum bpf_func_id).
enum class BpfCall : std::int32_t {
  ktime_get_ns = 5,
  get_prandom_u32 = 7,
  get_smp_processor_id = 8,
  get_current_pid_tgid = 14,
  get_current_uid_gid = 15,
  get_current_comm = 16,
  get_current_task = 35,
  get_stack = 67,
  get_current_cgroup_id = 80,
  probe_read_user = 112,
  probe_read_kernel = 113,
  probe_read_user_str = 114,
  probe_read_kernel_str = 115,
  copy_from_user = 148,  // sleepable programs only
  get_attach_cookie = 174,
};

class Assembler {
 public:
  using Label = std::size_t;

  [[nodiscard]] Label label();
  void bind(Label label);
  [[nodiscard]] bool is_used(Label label) const { return used_[label]; }

  void move(Register to, Register from);  // nothing if they are the same
  void constant(Register to, std::int64_t value);
  void load(Register to, Register base, std::int32_t offset, std::uint8_t bytes);  // zero-extended
  void store(Register base, std::int32_t offset, Register from);                   // 8 bytes
  void store_constant(Register base, std::int32_t offset, std::int32_t value);     // 8 bytes, sign-extended
  void store_byte(Register base, std::int32_t offset, std::uint8_t value);

  // `op` is BPF_ADD .. BPF_ARSH; 64 bits wide.
  void alu(std::uint8_t op, Register to, Register from);
  void alu_constant(std::uint8_t op, Register to, std::int32_t value);
  void negate(Register to);
  void low_word(Register to);  // keeps the low 32 bits

  void jump(Label to);
  // `op` is BPF_JEQ ..; 64 bits wide.
  void jump_if(std::uint8_t op, Register left, Register right, Label to);
  void jump_if_constant(std::uint8_t op, Register left, std::int32_t right, Label to);
  void jump_if_word(std::uint8_t op, Register left, std::uint32_t right, Label to);  // of 32 bits

  void call(BpfCall function);
  void add_atomically(Register base, std::int32_t offset, Register from);
  void exit();

  // Nullopt if it is too long for the jumps' 16-bit offsets.
  [[nodiscard]] std::optional<std::vector<bpf_insn>> finish() const;

 private:
  struct Jump {
    std::size_t from;
    Label to;
  };
  void add(std::uint8_t code, Register to, Register from, std::int32_t offset, std::int32_t value);
  void add_jump(std::uint8_t code, Register left, Register right, std::int32_t value, Label to);

  std::vector<bpf_insn> instructions_;
  std::vector<Jump> jumps_;
  std::vector<std::size_t> bound_;  // by label
  std::vector<bool> used_;          // by label
  bool unreachable_ = false;        // at the end of the instructions
};

[[nodiscard]] constexpr bool fits_immediate(std::int64_t value) {
  return value >= INT32_MIN && value <= INT32_MAX;
}

}  // namespace diagnose::compile
