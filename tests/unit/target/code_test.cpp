#include "target/code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "target/exits.h"

namespace diagnose::target {
namespace {

using Bytes = std::vector<std::uint8_t>;
using testing::HasSubstr;

constexpr LinkAddress start{0x1000};

// Verdicts as Linux 6.18 gave them: breakpoint accepted or refused, and the time of a hit (about 0.8 us emulated, 9 us
// stepped); "refused" here covers what the kernel accepts and then executes wrongly as well.
struct Verdict {
  const char* name;
  Bytes bytes;
  const char* verdict;  // "optimised", "emulated", "stepped", "refused"
};

class Verdicts : public testing::TestWithParam<Verdict> {};

TEST_P(Verdicts, AgreeWithTheKernel) {
  auto decoder = Decoder::make();
  ASSERT_TRUE(decoder);
  const auto instruction = decoder->decode(GetParam().bytes, start);
  ASSERT_TRUE(instruction);
  EXPECT_EQ(instruction->length, GetParam().bytes.size());
  const std::string verdict = refusal(*instruction) ? "refused" : text(cost(*instruction, true));
  EXPECT_EQ(verdict, GetParam().verdict);
}

INSTANTIATE_TEST_SUITE_P(
    X86, Verdicts,
    testing::Values(
        Verdict{"push_rbp", {0x55}, "emulated"}, Verdict{"push_r12", {0x41, 0x54}, "emulated"},
        Verdict{"push_with_66", {0x66, 0x55}, "stepped"}, Verdict{"push_with_rex_40", {0x40, 0x55}, "stepped"},
        Verdict{"nop", {0x90}, "emulated"}, Verdict{"nop_66", {0x66, 0x90}, "emulated"},
        Verdict{"pause", {0xf3, 0x90}, "emulated"}, Verdict{"nop3", {0x0f, 0x1f, 0x00}, "emulated"},
        Verdict{"nop4", {0x0f, 0x1f, 0x40, 0x00}, "emulated"},
        Verdict{"nop5", {0x0f, 0x1f, 0x44, 0x00, 0x00}, "optimised"},
        Verdict{"nop6", {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00}, "emulated"},
        Verdict{"nop7", {0x0f, 0x1f, 0x80, 0, 0, 0, 0}, "emulated"},
        Verdict{"nop8", {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, "emulated"},
        Verdict{"nop9", {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, "stepped"},
        Verdict{"nop10_cs", {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, "refused"},
        Verdict{"xchg_r8_rax", {0x49, 0x90}, "refused"}, Verdict{"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, "stepped"},
        Verdict{"jmp8", {0xeb, 0x00}, "emulated"}, Verdict{"jmp32", {0xe9, 0, 0, 0, 0}, "emulated"},
        Verdict{"jc8", {0x72, 0x00}, "emulated"}, Verdict{"jc32", {0x0f, 0x82, 0, 0, 0, 0}, "emulated"},
        Verdict{"call", {0xe8, 1, 0, 0, 0}, "emulated"}, Verdict{"ret", {0xc3}, "stepped"},
        Verdict{"repz_ret", {0xf3, 0xc3}, "stepped"}, Verdict{"jmp_rax", {0xff, 0xe0}, "stepped"},
        Verdict{"notrack_jmp", {0x3e, 0xff, 0xe0}, "refused"}, Verdict{"mov", {0x48, 0x89, 0xf8}, "stepped"},
        Verdict{"sub_rsp", {0x48, 0x83, 0xec, 0x08}, "stepped"}, Verdict{"jrcxz", {0xe3, 0x00}, "stepped"},
        Verdict{"lock_add", {0xf0, 0x48, 0x83, 0x04, 0x24, 0x00}, "refused"},
        Verdict{"vzeroupper", {0xc5, 0xf8, 0x77}, "refused"}, Verdict{"vpor", {0xc5, 0xf9, 0xeb, 0xc0}, "refused"},
        Verdict{"pxor", {0x66, 0x0f, 0xef, 0xc0}, "stepped"}, Verdict{"pushf", {0x9c}, "refused"},
        Verdict{"popf", {0x9d}, "refused"}, Verdict{"syscall", {0x0f, 0x05}, "refused"},
        Verdict{"sysenter", {0x0f, 0x34}, "refused"}, Verdict{"int3", {0xcc}, "refused"},
        Verdict{"int80", {0xcd, 0x80}, "refused"}, Verdict{"iretq", {0x48, 0xcf}, "refused"},
        Verdict{"hlt", {0xf4}, "refused"}, Verdict{"in", {0xec}, "refused"}, Verdict{"out", {0xe6, 0x01}, "refused"},
        Verdict{"lret", {0xcb}, "refused"}, Verdict{"lret_with_number", {0xca, 8, 0}, "refused"},
        Verdict{"lcall", {0xff, 0x1b}, "refused"}, Verdict{"ljmp", {0xff, 0x2b}, "refused"},
        Verdict{"xabort", {0xc6, 0xf8, 1}, "refused"}, Verdict{"cli", {0xfa}, "refused"},
        Verdict{"int1", {0xf1}, "refused"}, Verdict{"sysret", {0x48, 0x0f, 0x07}, "refused"},
        Verdict{"insb", {0x6c}, "refused"}, Verdict{"rdmsr", {0x0f, 0x32}, "refused"},
        Verdict{"prefix_behind_rex", {0x48, 0x66, 0x55}, "refused"},
        Verdict{"addr32_call", {0x67, 0xe8, 1, 0, 0, 0}, "emulated"},
        Verdict{"xbegin", {0xc7, 0xf8, 0, 0, 0, 0}, "refused"}, Verdict{"xend", {0x0f, 0x01, 0xd5}, "refused"},
        Verdict{"mov_ss", {0x8e, 0xd2}, "refused"}, Verdict{"ud2", {0x0f, 0x0b}, "refused"},
        Verdict{"fs_load", {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, "stepped"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Cost, OfAFiveByteNopIsOptimisedOnlyAtAnEntryThatFitsOnePage) {
  auto decoder = Decoder::make();
  const Bytes nop = {0x0f, 0x1f, 0x44, 0x00, 0x00};
  EXPECT_EQ(cost(*decoder->decode(nop, LinkAddress{0x1ffb}), true), Cost::optimised);
  EXPECT_EQ(cost(*decoder->decode(nop, LinkAddress{0x1ffc}), true), Cost::emulated);
  EXPECT_EQ(cost(*decoder->decode(nop, LinkAddress{0x1000}), false), Cost::emulated);
}

struct Operand {
  const char* text;
  Bytes bytes;
  Tail::Kind kind;
  int base, index, scale;
  long displacement;
};

class Operands : public testing::TestWithParam<Operand> {};

TEST_P(Operands, OfIndirectJumpsAreRead) {
  auto decoder = Decoder::make();
  const auto instruction = decoder->decode(GetParam().bytes, start);
  ASSERT_TRUE(instruction);
  EXPECT_EQ(decoder->text(*instruction), GetParam().text);
  EXPECT_EQ(instruction->flow, Flow::indirect);
  EXPECT_EQ(instruction->tail.kind, GetParam().kind);
  EXPECT_EQ(instruction->tail.base, GetParam().base);
  EXPECT_EQ(instruction->tail.index, GetParam().index);
  EXPECT_EQ(instruction->tail.scale, GetParam().scale);
  EXPECT_EQ(instruction->tail.displacement, GetParam().displacement);
}

constexpr auto reg = Tail::Kind::by_register;
constexpr auto mem = Tail::Kind::by_memory;
INSTANTIATE_TEST_SUITE_P(
    X86, Operands,
    testing::Values(Operand{"jmp *%rax", {0xff, 0xe0}, reg, 0, 255, 1, 0},
                    Operand{"jmp *%r11", {0x41, 0xff, 0xe3}, reg, 11, 255, 1, 0},
                    Operand{"jmp *(%rbx)", {0xff, 0x23}, mem, 3, 255, 1, 0},
                    Operand{"jmp *0x10(%rdi)", {0xff, 0x67, 0x10}, mem, 7, 255, 1, 16},
                    Operand{"jmp *-0x10(%rsp)", {0xff, 0x64, 0x24, 0xf0}, mem, 4, 255, 1, -16},
                    Operand{"jmp *0x1234(%rip)", {0xff, 0x25, 0x34, 0x12, 0, 0}, mem, 16, 255, 1, 0x1234},
                    Operand{"jmp *-8(%r11, %r12, 8)", {0x43, 0xff, 0x64, 0xe3, 0xf8}, mem, 11, 12, 8, -8},
                    Operand{"jmp *0x400000(, %rax, 8)", {0xff, 0x24, 0xc5, 0, 0, 0x40, 0}, mem, 255, 0, 8, 0x400000},
                    Operand{"jmp *0x100(%r13)", {0x41, 0xff, 0xa5, 0, 1, 0, 0}, mem, 13, 255, 1, 256},
                    Operand{"jmp *(%r12)", {0x41, 0xff, 0x24, 0x24}, mem, 12, 255, 1, 0}));

Exits exits_of(const Bytes& bytes) {
  auto decoder = Decoder::make();
  std::vector<Stretch> stretches;
  stretches.push_back({{start, LinkAddress{raw(start) + bytes.size()}}, bytes});
  return find_exits(*decoder, stretches);
}

TEST(Exits, IncludeAJumpToTheFunctionsOwnStart) {
  const Exits found = exits_of({0x90, 0x74, 0xfd, 0xc3});  // nop; je start; ret
  ASSERT_EQ(found.error, "");
  ASSERT_EQ(found.exits.size(), 2U);
  EXPECT_EQ(found.exits[0].kind, SiteKind::tail);
  EXPECT_EQ(found.exits[0].instruction.tail.condition, 4);
  EXPECT_EQ(found.exits[1].kind, SiteKind::exit);
}

TEST(Exits, IgnorePaddingBehindTheLastReturn) {
  EXPECT_EQ(exits_of({0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0xcc, 0x90}).error, "");
}

TEST(Exits, SayWhenTheyCannotBeComplete) {
  EXPECT_THAT(exits_of({0xc3, 0x06}).error, HasSubstr("undecodable byte at +0x1"));
  EXPECT_THAT(exits_of({0x90, 0x90}).error, HasSubstr("runs on"));
  EXPECT_THAT(exits_of({0xe3, 0x7f, 0xc3}).error, HasSubstr("loop instruction"));
  EXPECT_THAT(exits_of({0x2e, 0x72, 0x7f, 0xc3}).error, HasSubstr("cannot be probed"));
  // je into the middle of the mov behind it
  EXPECT_THAT(exits_of({0x74, 0x01, 0x48, 0x89, 0xf8, 0xc3}).error, HasSubstr("middle of an instruction"));
}

TEST(Exits, AllowAJumpOverALockPrefix) {
  // je +1; lock add $0, (%rsp); ret: the idiom of C libraries for programs of one thread
  EXPECT_EQ(exits_of({0x74, 0x01, 0xf0, 0x83, 0x04, 0x24, 0x00, 0xc3}).error, "");
}

TEST(Exits, LeaveOutASwitchWithNotrack) {
  const Exits found = exits_of({0x3e, 0xff, 0xe0, 0xc3});
  EXPECT_EQ(found.error, "");
  EXPECT_EQ(found.exits.size(), 1U);
}

}  // namespace
}  // namespace diagnose::target
