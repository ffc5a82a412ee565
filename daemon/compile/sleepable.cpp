#include "compile/sleepable.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "compile/assembler.h"

namespace diagnose::compile {
namespace {

constexpr std::int32_t page_last = 4095;  // a text of limits::string_bytes lies on two pages at most

bool calls(const bpf_insn& instruction, BpfCall function) {
  return instruction.code == (BPF_JMP | BPF_CALL) && instruction.src_reg == 0 &&
         instruction.imm == static_cast<std::int32_t>(function);
}

bool reads_user(const bpf_insn& instruction) {
  return calls(instruction, BpfCall::probe_read_user) || calls(instruction, BpfCall::probe_read_user_str);
}

bool jumps(const bpf_insn& instruction) {
  const auto kind = BPF_CLASS(instruction.code);
  const auto operation = BPF_OP(instruction.code);
  return (kind == BPF_JMP || kind == BPF_JMP32) && operation != BPF_CALL && operation != BPF_EXIT;
}

// How far below r10 the function goes, bytes; negative.
std::int32_t deepest(const std::vector<bpf_insn>& code) {
  std::int32_t depth = 0;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const bpf_insn& one = code[at];
    const auto kind = BPF_CLASS(one.code);
    const bool writes = (kind == BPF_STX || kind == BPF_ST) && one.dst_reg == BPF_REG_10;
    const bool reads = kind == BPF_LDX && one.src_reg == BPF_REG_10;
    if (writes || reads) depth = std::min<std::int32_t>(depth, one.off);
    const bool adds = one.code == (BPF_ALU64 | BPF_ADD | BPF_K) && at > 0 &&
                      code[at - 1].code == (BPF_ALU64 | BPF_MOV | BPF_X) && code[at - 1].src_reg == BPF_REG_10 &&
                      code[at - 1].dst_reg == one.dst_reg;
    if (adds) depth = std::min(depth, one.imm);
  }
  return depth & ~7;
}

// What stands in the place of one call of a reading helper.
class Reading {
 public:
  Reading(std::int32_t depth, bool text) : destination_(depth - 8), size_(depth - 16), address_(depth - 24) {
    for (const auto& [reg, place] : {std::pair{BPF_REG_1, destination_}, {BPF_REG_2, size_}, {BPF_REG_3, address_}}) {
      add({.code = BPF_STX | BPF_MEM | BPF_DW,
           .dst_reg = BPF_REG_10,
           .src_reg = static_cast<std::uint8_t>(static_cast<unsigned>(reg) & 0xfU),
           .off = offset(place),
           .imm = 0});
    }
    call(text ? BpfCall::probe_read_user_str : BpfCall::probe_read_user);
    done_if_read(text);
    if (!text) {
      arguments();
      call(BpfCall::copy_from_user);
    } else {
      for (const bool next_page : {false, true}) {
        touch(next_page);
        arguments();
        call(BpfCall::probe_read_user_str);
        if (!next_page) done_if_read(text);
      }
    }
    for (const std::size_t jump : ways_out_) {
      code_[jump].off = static_cast<std::int16_t>(code_.size() - jump - 1);
    }
  }

  [[nodiscard]] const std::vector<bpf_insn>& code() const { return code_; }

 private:
  static std::int16_t offset(std::int32_t place) { return static_cast<std::int16_t>(place); }
  void add(bpf_insn instruction) { code_.push_back(instruction); }
  void call(BpfCall function) {
    add({.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = static_cast<std::int32_t>(function)});
  }
  void load(int reg, std::int32_t place) {
    add({.code = BPF_LDX | BPF_MEM | BPF_DW,
         .dst_reg = static_cast<std::uint8_t>(static_cast<unsigned>(reg) & 0xfU),
         .src_reg = BPF_REG_10,
         .off = offset(place),
         .imm = 0});
  }
  void constant(std::uint8_t operation, int reg, std::int32_t value) {
    add({.code = static_cast<std::uint8_t>(BPF_ALU64 | operation | BPF_K),
         .dst_reg = static_cast<std::uint8_t>(static_cast<unsigned>(reg) & 0xfU),
         .src_reg = 0,
         .off = 0,
         .imm = value});
  }
  void arguments() {
    load(BPF_REG_1, destination_);
    load(BPF_REG_2, size_);
    load(BPF_REG_3, address_);
  }
  void done_if_read(bool text) {
    ways_out_.push_back(code_.size());
    const auto operation = static_cast<std::uint8_t>(text ? BPF_JSGE : BPF_JEQ);
    add({.code = static_cast<std::uint8_t>(BPF_JMP | operation | BPF_K),
         .dst_reg = 0,
         .src_reg = 0,
         .off = 0,
         .imm = 0});
  }
  // One byte of the page where the text begins, or of the next; reading the text says whether it came.
  void touch(bool next_page) {
    load(BPF_REG_1, destination_);
    constant(BPF_MOV, BPF_REG_2, 1);
    load(BPF_REG_3, address_);
    if (next_page) {
      constant(BPF_OR, BPF_REG_3, page_last);
      constant(BPF_ADD, BPF_REG_3, 1);
    }
    call(BpfCall::copy_from_user);
  }

  std::int32_t destination_, size_, address_;
  std::vector<bpf_insn> code_;
  std::vector<std::size_t> ways_out_;
};

}  // namespace

std::vector<bpf_insn> that_may_sleep(const std::vector<bpf_insn>& code) {
  const std::int32_t depth = deepest(code);
  std::vector<bpf_insn> made;
  std::vector<std::size_t> moved;  // by old index
  for (const bpf_insn& one : code) {
    moved.push_back(made.size());
    if (!reads_user(one)) {
      made.push_back(one);
      continue;
    }
    const Reading reading(depth, calls(one, BpfCall::probe_read_user_str));
    made.insert(made.end(), reading.code().begin(), reading.code().end());
  }
  moved.push_back(made.size());
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (!jumps(code[at])) continue;
    const auto target = at + 1 + static_cast<std::size_t>(code[at].off);  // forward, as all of the assembler's are
    const std::size_t distance = moved[target] - moved[at] - 1;
    if (distance > static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max())) return code;  // reads as before
    made[moved[at]].off = static_cast<std::int16_t>(distance);
  }
  return made;
}

bool reads_memory(const Function& function) {
  return std::any_of(function.instructions.begin(), function.instructions.end(), reads_user);
}

void let_sleep(ProbeEvaluation& probe) {
  const auto rewrite = [&](Function& function) {
    if (!reads_memory(function)) return;
    function.instructions = that_may_sleep(function.instructions);
    probe.may_sleep = true;
  };
  for (Evaluation& instrument : probe.instruments) {
    rewrite(instrument.admit);
    rewrite(instrument.evaluate);
  }
  if (probe.capture) rewrite(*probe.capture);
}

}  // namespace diagnose::compile
