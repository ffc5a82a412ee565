#include "target/code.h"

#include <algorithm>
#include <array>
#include <capstone/capstone.h>
#include <cstring>
#include <string_view>

#include "target/encoding.h"

namespace diagnose::target {
namespace {

// The operand of `jmp *...`.
Tail indirect_operand(const Encoding& part) {
  Tail tail;
  if (part.mode() == 3) {
    tail.kind = Tail::Kind::by_register;
    tail.base = part.rm();
    return tail;
  }
  const Memory operand = memory(part);
  tail.kind = Tail::Kind::by_memory;
  tail.base = operand.base;
  tail.index = operand.index;
  tail.scale = operand.scale;
  tail.displacement = operand.displacement;
  return tail;
}

void read_flow(Instruction& instruction) {
  const Encoding part = encoding(instruction.bytes);
  if (part.vector) return;
  const auto go = [&](Flow flow, std::size_t size) {
    instruction.flow = flow;
    instruction.target = LinkAddress{raw(instruction.address) + instruction.length +
                                     static_cast<std::uint64_t>(last_number(instruction.bytes, size))};
  };
  const std::uint8_t opcode = part.opcode;
  instruction.nop = (part.map == 1 && opcode == 0x1f) || (part.map == 0 && opcode == 0x90 && (part.rex & 1U) == 0);
  if (part.map == 1) {
    if (opcode >= 0x80 && opcode <= 0x8f) {
      go(Flow::conditional, 4);
      instruction.tail.kind = Tail::Kind::conditional;
      instruction.tail.condition = opcode & 0xfU;
    }
    if (opcode == 0x0b || opcode == 0xb9 || opcode == 0xff) instruction.flow = Flow::stop;  // ud2, ud1, ud0
    return;
  }
  if (part.map != 0) return;
  if (opcode >= 0x70 && opcode <= 0x7f) {
    go(Flow::conditional, 1);
    instruction.tail.kind = Tail::Kind::conditional;
    instruction.tail.condition = opcode & 0xfU;
  } else if (opcode >= 0xe0 && opcode <= 0xe3) {
    go(Flow::counted, 1);
  } else if (opcode == 0xe8) {
    go(Flow::call, 4);
  } else if (opcode == 0xe9 || opcode == 0xeb) {
    go(Flow::jump, opcode == 0xe9 ? 4 : 1);
  } else if (opcode == 0xc2 || opcode == 0xc3 || opcode == 0xca || opcode == 0xcb || opcode == 0xcf) {
    instruction.flow = Flow::ret;
  } else if (opcode == 0xf4 || opcode == 0xcc) {
    instruction.flow = Flow::stop;
  } else if (opcode == 0xff && part.modrm_at < instruction.bytes.size()) {
    const unsigned operation = part.operation();
    if (operation == 2 || operation == 3) instruction.flow = Flow::call;
    if (operation == 4 || operation == 5) {
      instruction.flow = Flow::indirect;
      instruction.tail = indirect_operand(part);
      instruction.notrack = part.ds;
    }
  }
}

// The nops that every assembler emits and the kernel knows by their bytes (arch/x86/include/asm/nops.h).
bool is_long_nop(std::span<const std::uint8_t> bytes) {
  static constexpr std::array<std::string_view, 6> nops = {
      std::string_view("\x0f\x1f\x00", 3),
      std::string_view("\x0f\x1f\x40\x00", 4),
      std::string_view("\x0f\x1f\x44\x00\x00", 5),
      std::string_view("\x66\x0f\x1f\x44\x00\x00", 6),
      std::string_view("\x0f\x1f\x80\x00\x00\x00\x00", 7),
      std::string_view("\x0f\x1f\x84\x00\x00\x00\x00\x00", 8),
  };
  return std::any_of(nops.begin(), nops.end(), [&](std::string_view nop) {
    return nop.size() == bytes.size() && std::memcmp(nop.data(), bytes.data(), nop.size()) == 0;
  });
}

const char* refused_one_byte(const Encoding& part) {
  constexpr const char* interrupt = "an interrupt instruction";
  constexpr const char* port = "an instruction for I/O ports";
  const unsigned operation = part.operation();
  switch (part.opcode) {
    case 0x90:
      return (part.rex & 1U) != 0 ? "an xchg that the kernel takes for a nop" : nullptr;
    case 0x9c:
      return "a pushf: stepped, it would save the trap flag of the step";
    case 0x9d:
      return "a popf: it would end the step";
    case 0x8e:
      return operation == 2 ? "a load of ss: the processor does not step it" : nullptr;
    case 0xca:
    case 0xcb:
      return "a far return";
    case 0xcc:
    case 0xcd:
    case 0xf1:
      return interrupt;
    case 0xcf:
      return "a return from an interrupt";
    case 0xf4:
    case 0xfa:
    case 0xfb:
      return "a privileged instruction";
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x6f:
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
      return port;
    case 0xc6:
    case 0xc7:
      return operation == 7 ? "an instruction of a hardware transaction" : nullptr;
    case 0xff:
      return operation == 3 || operation == 5 ? "a far call or jump" : nullptr;
    default:
      return nullptr;
  }
}

const char* refused_two_bytes(const Encoding& part) {
  switch (part.opcode) {
    case 0x05:
      return "a syscall: stepped elsewhere, it kills the process";
    case 0x34:
      return "a sysenter: stepped elsewhere, it kills the process";
    case 0x07:
    case 0x35:
      return "a return to user space";
    case 0x01:  // vmcall, xtest, xend, rdpkru, swapgs...: a group of its own
    case 0x00:
    case 0x06:
    case 0x08:
    case 0x09:
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
    case 0x30:
    case 0x32:
    case 0x33:
      return "a system instruction";
    case 0xaa:
      return "a system instruction";
    case 0x0b:
    case 0xb9:
    case 0xff:
      return "an instruction that is made to fault";
    default:
      return nullptr;
  }
}

}  // namespace

struct Decoder::Handle {
  csh capstone = 0;
  cs_insn* instruction = nullptr;
};

void Decoder::Close::operator()(Handle* handle) const {
  if (handle->instruction != nullptr) cs_free(handle->instruction, 1);
  cs_close(&handle->capstone);
  delete handle;
}

Result<Decoder> Decoder::make() {
  const auto failed = [](cs_err error) {
    return failure(Error{.what = "start the disassembler", .where = {}, .why = cs_strerror(error), .mend = {}});
  };
  csh capstone = 0;
  if (const cs_err error = cs_open(CS_ARCH_X86, CS_MODE_64, &capstone); error != CS_ERR_OK) return failed(error);
  std::unique_ptr<Handle, Close> handle(new Handle{.capstone = capstone, .instruction = nullptr});
  if (const cs_err error = cs_option(capstone, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT); error != CS_ERR_OK) {
    return failed(error);
  }
  handle->instruction = cs_malloc(capstone);
  if (handle->instruction == nullptr) return failed(CS_ERR_MEM);
  return Decoder(std::move(handle));
}

std::optional<Instruction> Decoder::decode(std::span<const std::uint8_t> code, LinkAddress address) {
  const std::uint8_t* at = code.data();
  std::size_t left = code.size();
  std::uint64_t where = raw(address);
  if (!cs_disasm_iter(handle_->capstone, &at, &left, &where, handle_->instruction)) return std::nullopt;
  Instruction instruction;
  instruction.address = address;
  instruction.length = static_cast<std::uint8_t>(handle_->instruction->size);
  instruction.bytes = code.first(instruction.length);
  read_flow(instruction);
  return instruction;
}

std::string Decoder::text(const Instruction& instruction) {
  const std::uint8_t* at = instruction.bytes.data();
  std::size_t left = instruction.bytes.size();
  std::uint64_t where = raw(instruction.address);
  if (!cs_disasm_iter(handle_->capstone, &at, &left, &where, handle_->instruction)) return "(bad)";
  std::string text = handle_->instruction->mnemonic;
  // As objdump prints them: these have one size only.
  for (const std::string_view sized : {"pushq", "popq", "retq", "repz retq", "jmpq", "callq", "leaveq"}) {
    if (text == sized) text.pop_back();
  }
  if (handle_->instruction->op_str[0] != '\0') text.append(" ").append(handle_->instruction->op_str);
  return text;
}

Cost cost(const Instruction& instruction, bool entry) {
  const Encoding part = encoding(instruction.bytes);
  if (part.vector || part.map > 1) return Cost::stepped;
  if (is_long_nop(instruction.bytes)) {
    constexpr std::uint64_t page = 4096;
    constexpr std::uint64_t call_bytes = 5;
    // The kernel writes a call over a 5-byte nop; over two pages it cannot (can_optimize()).
    const bool fits = instruction.length == call_bytes && raw(instruction.address) % page <= page - call_bytes;
    return entry && fits ? Cost::optimised : Cost::emulated;
  }
  if (part.map == 1) return part.opcode >= 0x80 && part.opcode <= 0x8f ? Cost::emulated : Cost::stepped;
  if (part.opcode == 0x90) return Cost::emulated;
  if (part.opcode >= 0x50 && part.opcode <= 0x57) {
    const bool plain = instruction.length == 1 || (instruction.length == 2 && part.rex == 0x41);
    return plain ? Cost::emulated : Cost::stepped;
  }
  const bool branch =
      (part.opcode >= 0x70 && part.opcode <= 0x7f) || part.opcode == 0xe8 || part.opcode == 0xe9 || part.opcode == 0xeb;
  return branch ? Cost::emulated : Cost::stepped;
}

bool becomes_call(const Instruction& instruction) {
  constexpr std::uint8_t call_bytes = 5;
  return instruction.nop && instruction.length == call_bytes;
}

std::optional<std::string> refusal(const Instruction& instruction) {
  const Encoding part = encoding(instruction.bytes);
  if (part.lock || part.segment) return "the kernel sets no breakpoint on an instruction with a lock or segment prefix";
  if (part.late_prefix) return "a prefix behind a REX prefix: the kernel takes it for the opcode";
  // The kernel looks at a VEX opcode as if it were a plain one: `vzeroupper` (77) becomes a `ja`, `vpor` (eb) a `jmp`.
  if (part.vector) return "an AVX instruction: the kernel takes some of them for jumps";
  const bool branch =
      instruction.flow == Flow::jump || instruction.flow == Flow::call || instruction.flow == Flow::conditional;
  if (part.operand_size && branch && instruction.target != LinkAddress{}) {
    return "the kernel sets no breakpoint on a branch with an operand-size prefix";
  }
  const char* why = nullptr;
  if (part.map == 0) why = refused_one_byte(part);
  if (part.map == 1) why = refused_two_bytes(part);
  if (why == nullptr) return std::nullopt;
  return why;
}

}  // namespace diagnose::target
