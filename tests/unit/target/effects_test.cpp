#include "target/effects.h"

#include <algorithm>
#include <capstone/capstone.h>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace diagnose::target {
namespace {

using Bytes = std::vector<std::uint8_t>;

Effects of(Decoder& decoder, const Bytes& bytes) {
  const auto instruction = decoder.decode(bytes, LinkAddress{0x1000});
  EXPECT_TRUE(instruction);
  return instruction ? effects(*instruction) : Effects{};
}

// The x86 encoding of a register's 64-bit whole, by any of its names.
std::map<std::string, std::uint8_t> register_names() {
  std::map<std::string, std::uint8_t> names;
  const char* legacy[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
  const char* low[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
  const char* high[] = {"ah", "ch", "dh", "bh"};
  for (std::uint8_t i = 0; i < 8; ++i) {
    names[legacy[i]] = names[low[i]] = i;
    names[std::string("e") + legacy[i]] = names[std::string("r") + legacy[i]] = i;
    if (i < 4) names[high[i]] = i;
  }
  for (std::uint8_t i = 8; i < 16; ++i) {
    for (const char* suffix : {"", "d", "w", "b"}) names["r" + std::to_string(i) + suffix] = i;
  }
  return names;
}

// Capstone forgets some registers that are written; those that it names wrongly are listed.
bool wrongly_named(const std::string& mnemonic, const Bytes& bytes) {
  if (mnemonic == "cdq" || mnemonic == "cqo" || mnemonic == "cwd") return true;  // they write rdx alone
  const auto last = static_cast<std::size_t>(std::find(bytes.begin(), bytes.end(), 0x90) - bytes.begin());
  if (mnemonic == "xchg" && last < bytes.size()) return true;  // of rax and rax: a nop
  return mnemonic == "test";
}

std::string hex(const Instruction& instruction) {
  std::string all;
  for (const auto byte : instruction.bytes) {
    char text[4];
    std::snprintf(text, sizeof text, "%02x ", byte);
    all += text;
  }
  return all;
}

TEST(Effects, CoverWhatTheDisassemblerSaysIsWritten) {
  csh capstone = 0;
  ASSERT_EQ(cs_open(CS_ARCH_X86, CS_MODE_64, &capstone), CS_ERR_OK);
  cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON);
  cs_insn* insn = cs_malloc(capstone);
  auto decoder = Decoder::make();
  const auto names = register_names();
  std::mt19937 random(1);
  std::set<std::string> told;
  std::size_t decoded = 0;
  for (int round = 0; round < 400'000; ++round) {
    Bytes bytes(15);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    const std::uint8_t starts[] = {0x48, 0x0f, 0x66, 0x41, 0xf3, 0xc5, 0x4c};
    if (round % 4 != 0) bytes[0] = starts[random() % std::size(starts)];
    if (round % 8 == 1) bytes[1] = 0x0f;
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t address = 0x1000;
    if (!cs_disasm_iter(capstone, &at, &left, &address, insn)) continue;
    const auto instruction = decoder->decode(bytes, LinkAddress{0x1000});
    ASSERT_TRUE(instruction);
    if (instruction->flow == Flow::call) continue;  // its writes are those of what it calls
    ++decoded;
    cs_regs read, written;
    std::uint8_t reads = 0, writes = 0;
    if (cs_regs_access(capstone, insn, read, &reads, written, &writes) != CS_ERR_OK) continue;
    const Effects done = effects(*instruction);
    const cs_x86& parts = insn->detail->x86;
    for (std::uint8_t i = 0; i < parts.op_count && !done.stores; ++i) {
      const cs_x86_op& operand = parts.operands[i];
      const bool written_to = operand.type == X86_OP_MEM && (operand.access & CS_AC_WRITE) != 0 &&
                              std::string(insn->mnemonic) != "test";  // which it is wrong about
      if (!written_to || !told.insert(std::string("memory ") + insn->mnemonic).second) continue;
      ADD_FAILURE() << insn->mnemonic << " " << insn->op_str << " writes memory: " << hex(*instruction);
    }
    for (std::uint8_t i = 0; i < writes; ++i) {
      const char* name = cs_reg_name(capstone, written[i]);
      const auto number = name != nullptr ? names.find(name) : names.end();
      if (number == names.end()) continue;
      const bool covered = number->second == register_sp
                               ? !done.sp_move || *done.sp_move != 0 || instruction->flow != Flow::next
                               : (done.writes & register_bit(number->second)) != 0;
      if (wrongly_named(insn->mnemonic, {instruction->bytes.begin(), instruction->bytes.end()})) continue;
      if (!covered && told.insert(insn->mnemonic).second) {
        ADD_FAILURE() << insn->mnemonic << " " << insn->op_str << " writes " << name << ": " << hex(*instruction);
      }
    }
  }
  EXPECT_GT(decoded, 100'000U);
  cs_free(insn, 1);
  cs_close(&capstone);
}

TEST(Effects, TellHowTheStackPointerMoves) {
  auto decoder = Decoder::make();
  const std::pair<Bytes, std::optional<std::int64_t>> cases[] = {
      {{0x55}, -8},
      {{0x41, 0x54}, -8},
      {{0x66, 0x50}, -2},
      {{0x6a, 0x01}, -8},
      {{0x68, 1, 0, 0, 0}, -8},
      {{0xff, 0x75, 0x10}, -8},
      {{0x5d}, 8},
      {{0x8f, 0x45, 0x10}, 8},
      {{0x5c}, std::nullopt},                          // pop %rsp
      {{0x48, 0x83, 0xec, 0x18}, -0x18},               // sub $0x18,%rsp
      {{0x48, 0x83, 0xec, 0x80}, 0x80},                // sub $-0x80,%rsp
      {{0x48, 0x81, 0xc4, 0x00, 0x02, 0, 0}, 0x200},   // add
      {{0x83, 0xec, 0x18}, std::nullopt},              // sub $0x18,%esp
      {{0x48, 0x8d, 0x64, 0x24, 0xf8}, -8},            // lea -8(%rsp),%rsp
      {{0x48, 0x8d, 0x65, 0xf8}, std::nullopt},        // lea -8(%rbp),%rsp
      {{0x48, 0x8d, 0x64, 0x04, 0xf8}, std::nullopt},  // lea -8(%rsp,%rax),%rsp
      {{0x48, 0x89, 0xec}, std::nullopt},
      {{0xc9}, std::nullopt},
      {{0x48, 0x83, 0x7c, 0x24, 0x08, 0x00}, 0},  // cmpq $0,8(%rsp)
      {{0x48, 0x89, 0x64, 0x24, 0x08}, 0},        // mov %rsp,8(%rsp)
      {{0x48, 0x87, 0xe0}, std::nullopt},         // xchg %rsp,%rax
      {{0x48, 0x94}, std::nullopt},
  };
  for (const auto& [bytes, move] : cases) {
    EXPECT_EQ(of(*decoder, bytes).sp_move, move) << decoder->text(*decoder->decode(bytes, LinkAddress{0x1000}));
  }
}

}  // namespace
}  // namespace diagnose::target
