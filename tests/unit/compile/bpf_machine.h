// Executes emitted BPF functions, and is as strict as the kernel's verifier about what it can see: registers and stack
// bytes must have been written, memory must be given, every instruction must be reachable.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <linux/bpf.h>
#include <set>
#include <string>
#include <vector>

namespace diagnose::compile {

class BpfMachine {
 public:
  struct Region {
    std::uint64_t start;
    std::size_t size;
  };

  // What the kernel's helpers answer.
  std::uint64_t now_ns = 1000;
  std::uint32_t random = 0;
  std::uint32_t cpu = 3;
  std::uint64_t pid_tgid = (std::uint64_t{4242} << 32U) | 4243U;
  std::uint64_t uid_gid = (std::uint64_t{5} << 32U) | 1000U;
  std::string comm = "checkoutd";
  std::uint64_t cgroup = 5151;
  std::uint64_t cookie = 0;
  std::vector<std::uint64_t> stack;
  std::uint64_t task = 0;  // its address, in memory of the kernel

  // Memory that the function may touch directly, and memory of the target that helpers can read.
  void give(const void* start, std::size_t size) { own_.push_back({address(start), size}); }
  void map_user(const void* start, std::size_t size) { user_.push_back({address(start), size}); }
  void map_kernel(const void* start, std::size_t size) { kernel_.push_back({address(start), size}); }

  std::string error;           // of the last run; empty if it was lawful
  std::size_t stack_used = 0;  // bytes
  std::size_t steps = 0;
  std::size_t user_reads = 0;

  static std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

  std::uint64_t run(const std::vector<bpf_insn>& code, const void* ctx, const void* frame, void* out, void* ledger) {
    error.clear();
    steps = user_reads = 0;
    r_ = {};
    r_[1] = address(ctx);
    r_[2] = address(frame);
    r_[3] = address(out);
    r_[4] = address(ledger);
    r_[10] = address(stack_.data()) + stack_.size();
    known_ = 0b10000011110;
    written_.fill(false);
    check_reachable(code);
    std::size_t at = 0;
    while (error.empty()) {
      if (at >= code.size() || ++steps > 100'000) return fail("ran out of the function");
      const bpf_insn& in = code[at];
      if (in.code == (BPF_JMP | BPF_EXIT)) return use(0);
      at = step(code, at, in);
    }
    return 0;
  }

 private:
  std::uint64_t fail(const std::string& why) {
    if (error.empty()) error = why;
    return 0;
  }

  std::uint64_t use(unsigned number) {
    if (((known_ >> number) & 1U) == 0) fail("r" + std::to_string(number) + " was never written");
    return r_[number];
  }
  void set(unsigned number, std::uint64_t value) {
    if (number == 10) fail("r10 is read-only");
    r_[number] = value;
    known_ |= 1U << number;
  }

  static bool inside(const std::vector<Region>& regions, std::uint64_t start, std::size_t size) {
    return std::any_of(regions.begin(), regions.end(), [&](const Region& region) {
      return start >= region.start && size <= region.size && start - region.start <= region.size - size;
    });
  }

  // Checks direct memory; on the stack also that what is read was written.
  bool may_touch(std::uint64_t start, std::size_t size, bool write) {
    const std::uint64_t bottom = address(stack_.data());
    if (start >= bottom && start + size <= bottom + stack_.size()) {
      const std::size_t first = start - bottom;
      stack_used = std::max(stack_used, stack_.size() - first);
      for (std::size_t i = first; i < first + size; ++i) {
        if (write) written_[i] = true;
        if (!written_[i]) return fail("stack bytes were never written") != 0;
      }
      return true;
    }
    if (inside(own_, start, size)) return true;
    fail("memory out of bounds");
    return false;
  }

  static unsigned bytes_of(unsigned code) {
    switch (BPF_SIZE(code)) {
      case BPF_B:
        return 1;
      case BPF_H:
        return 2;
      case BPF_W:
        return 4;
      default:
        return 8;
    }
  }

  std::size_t step(const std::vector<bpf_insn>& code, std::size_t at, const bpf_insn& in) {
    switch (BPF_CLASS(in.code)) {
      case BPF_ALU64:
      case BPF_ALU:
        arithmetic(in);
        return at + 1;
      case BPF_JMP:
      case BPF_JMP32:
        return jump(in, at);
      case BPF_LD:
        set(in.dst_reg, static_cast<std::uint32_t>(in.imm) |
                            static_cast<std::uint64_t>(static_cast<std::uint32_t>(code[at + 1].imm)) << 32U);
        return at + 2;
      default:
        memory(in);
        return at + 1;
    }
  }

  void memory(const bpf_insn& in) {
    const unsigned size = bytes_of(in.code);
    const bool load = BPF_CLASS(in.code) == BPF_LDX;
    const std::uint64_t place = use(load ? in.src_reg : in.dst_reg) + static_cast<std::uint64_t>(std::int64_t{in.off});
    if (!may_touch(place, size, !load)) return;
    void* const pointer = reinterpret_cast<void*>(place);
    if (load) {
      std::uint64_t value = 0;
      std::memcpy(&value, pointer, size);
      return set(in.dst_reg, value);
    }
    std::uint64_t value =
        BPF_CLASS(in.code) == BPF_ST ? static_cast<std::uint64_t>(std::int64_t{in.imm}) : use(in.src_reg);
    if (BPF_MODE(in.code) == BPF_ATOMIC) {
      if (in.imm != BPF_ADD || size != 8) fail("an atomic operation other than add");
      std::uint64_t before = 0;
      std::memcpy(&before, pointer, 8);
      value += before;
    }
    std::memcpy(pointer, &value, size);
  }

  void arithmetic(const bpf_insn& in) {
    const bool wide = BPF_CLASS(in.code) == BPF_ALU64;
    const unsigned op = BPF_OP(in.code);
    std::uint64_t b = 0;
    if (op != BPF_NEG)
      b = BPF_SRC(in.code) == BPF_X ? use(in.src_reg) : static_cast<std::uint64_t>(std::int64_t{in.imm});
    std::uint64_t a = op == BPF_MOV ? 0 : use(in.dst_reg);
    if (!wide) {
      if (op != BPF_MOV) fail("32-bit arithmetic other than a move");
      return set(in.dst_reg, static_cast<std::uint32_t>(b));
    }
    const bool shifts = op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
    if (shifts && b > 63) fail("a shift by more than 63");
    if ((op == BPF_DIV || op == BPF_MOD) && b == 0) fail("a division by zero");
    if (!error.empty()) return;
    switch (op) {
      case BPF_ADD:
        a += b;
        break;
      case BPF_SUB:
        a -= b;
        break;
      case BPF_MUL:
        a *= b;
        break;
      case BPF_DIV:
        a /= b;
        break;
      case BPF_MOD:
        a %= b;
        break;
      case BPF_OR:
        a |= b;
        break;
      case BPF_AND:
        a &= b;
        break;
      case BPF_XOR:
        a ^= b;
        break;
      case BPF_LSH:
        a <<= b;
        break;
      case BPF_RSH:
        a >>= b;
        break;
      case BPF_ARSH:
        a = static_cast<std::uint64_t>(static_cast<std::int64_t>(a) >> b);
        break;
      case BPF_MOV:
        a = b;
        break;
      case BPF_NEG:
        a = 0 - a;
        break;
      default:
        fail("unknown arithmetic");
        break;
    }
    set(in.dst_reg, a);
  }

  std::size_t jump(const bpf_insn& in, std::size_t at) {
    const unsigned op = BPF_OP(in.code);
    if (op == BPF_CALL) {
      helper(in.imm);
      return at + 1;
    }
    const std::size_t target = at + 1 + static_cast<std::size_t>(in.off);
    if (op == BPF_JA) return target;
    const bool wide = BPF_CLASS(in.code) == BPF_JMP;
    std::uint64_t a = use(in.dst_reg);
    std::uint64_t b = BPF_SRC(in.code) == BPF_X ? use(in.src_reg) : static_cast<std::uint64_t>(std::int64_t{in.imm});
    if (!wide) {
      a = static_cast<std::uint32_t>(a);
      b = static_cast<std::uint32_t>(b);
    }
    return taken(op, a, b) ? target : at + 1;
  }

  bool taken(unsigned op, std::uint64_t a, std::uint64_t b) {
    const auto sa = static_cast<std::int64_t>(a);
    const auto sb = static_cast<std::int64_t>(b);
    switch (op) {
      case BPF_JEQ:
        return a == b;
      case BPF_JNE:
        return a != b;
      case BPF_JSET:
        return (a & b) != 0;
      case BPF_JGT:
        return a > b;
      case BPF_JGE:
        return a >= b;
      case BPF_JLT:
        return a < b;
      case BPF_JLE:
        return a <= b;
      case BPF_JSGT:
        return sa > sb;
      case BPF_JSGE:
        return sa >= sb;
      case BPF_JSLT:
        return sa < sb;
      case BPF_JSLE:
        return sa <= sb;
      default:
        return fail("unknown jump") != 0;
    }
  }

  void helper(int number) {
    std::uint64_t answer = 0;
    switch (number) {
      case 5:
        answer = now_ns;
        break;
      case 7:
        answer = random;
        break;
      case 8:
        answer = cpu;
        break;
      case 14:
        answer = pid_tgid;
        break;
      case 15:
        answer = uid_gid;
        break;
      case 16:
        answer = get_comm();
        break;
      case 35:
        answer = task;
        break;
      case 67:
        answer = get_stack();
        break;
      case 80:
        answer = cgroup;
        break;
      case 174:
        answer = cookie;
        break;
      case 112:
      case 148:
        answer = read(user_, false);
        break;
      case 113:
        answer = read(kernel_, false);
        break;
      case 114:
        answer = read(user_, true);
        break;
      default:
        fail("unknown helper");
        break;
    }
    known_ &= ~0b111110U;
    set(0, answer);
  }

  std::uint64_t get_stack() {
    const std::uint64_t to = use(2);
    const std::uint64_t size = use(3);
    if (use(4) != 256) fail("a stack other than the user's");
    if (!may_touch(to, size, true)) return 0;
    const std::size_t bytes = std::min<std::size_t>(size, stack.size() * sizeof(std::uint64_t));
    std::memcpy(reinterpret_cast<void*>(to), stack.data(), bytes);
    return bytes;
  }

  std::uint64_t get_comm() {
    const std::uint64_t to = use(1);
    const std::uint64_t size = use(2);
    if (!may_touch(to, size, true)) return 0;
    char* const text = reinterpret_cast<char*>(to);
    std::memset(text, 0, size);
    std::memcpy(text, comm.data(), std::min<std::size_t>(comm.size(), size - 1));
    return 0;
  }

  // As the kernel: a text's bytes behind its NUL are not written, and a failure zeroes everything.
  std::uint64_t read(const std::vector<Region>& from_regions, bool text) {
    const std::uint64_t to = use(1);
    const std::uint64_t size = use(2);
    const std::uint64_t from = use(3);
    if (&from_regions == &user_) ++user_reads;
    if (!may_touch(to, size, true)) return 0;
    char* const target = reinterpret_cast<char*>(to);
    const char* const source = reinterpret_cast<const char*>(from);
    for (std::size_t i = 0; i < size; ++i) {
      if (!inside(from_regions, from + i, 1)) {
        std::memset(target, 0, size);
        return static_cast<std::uint64_t>(std::int64_t{-14});
      }
      target[i] = source[i];
      if (text && i + 1 == size) target[i] = '\0';
      if (text && target[i] == '\0') return i + 1;
    }
    return 0;
  }

  void check_reachable(const std::vector<bpf_insn>& code) {
    std::set<std::size_t> seen;
    std::vector<std::size_t> open = {0};
    std::size_t wide_loads = 0;
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      if (at >= code.size()) return void(fail("a jump out of the function"));
      if (!seen.insert(at).second) continue;
      const bpf_insn& in = code[at];
      const unsigned kind = BPF_CLASS(in.code);
      const bool jumps = kind == BPF_JMP || kind == BPF_JMP32;
      const bool wide = in.code == (BPF_LD | BPF_DW | BPF_IMM);
      if (wide) ++wide_loads;
      if (jumps && in.off < 0) fail("a jump back");
      if (jumps && BPF_OP(in.code) == BPF_EXIT) continue;
      if (jumps && BPF_OP(in.code) != BPF_CALL) open.push_back(at + 1 + static_cast<std::size_t>(in.off));
      if (!jumps || BPF_OP(in.code) != BPF_JA) open.push_back(at + (wide ? 2 : 1));
    }
    if (seen.size() + wide_loads != code.size()) fail("unreachable instructions");
  }

  std::vector<Region> own_, user_, kernel_;
  std::array<std::uint64_t, 11> r_{};
  unsigned known_ = 0;
  alignas(8) std::array<unsigned char, 512> stack_{};
  std::array<bool, 512> written_{};
};

}  // namespace diagnose::compile
