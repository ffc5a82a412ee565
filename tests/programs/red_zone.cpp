// red_zone N: leaf functions that keep their values below the stack pointer, around 5-byte nops and other instructions
// that a breakpoint would like to stand on.
#include "tally.h"

#define NOP5 "	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
#define LEAF(name, before, between)         \
  asm(".text\n"                             \
      ".globl " #name                       \
      "\n"                                  \
      ".type " #name                        \
      ", @function\n"                       \
      ".balign 16\n" #name                  \
      ":\n"                                 \
      "	.cfi_startproc\n" before            \
      "	mov %rdi, -8(%rsp)\n"               \
      "	mov %rsi, -16(%rsp)\n"              \
      "	movq $0x5a5a, -24(%rsp)\n"          \
      "	movq $0x5a5a, -120(%rsp)\n" between \
      "	mov -8(%rsp), %rax\n"               \
      "	add -16(%rsp), %rax\n"              \
      "	add -24(%rsp), %rax\n"              \
      "	sub -120(%rsp), %rax\n"             \
      "	ret\n"                              \
      "	.cfi_endproc\n"                     \
      ".size " #name ", .-" #name "\n");    \
  extern "C" long name(long, long)

LEAF(nop_inside, "", NOP5);
LEAF(nop_before, NOP5, "");
LEAF(nops_everywhere, NOP5 NOP5, NOP5 NOP5);
LEAF(short_nop_inside, "", "	nop\n");
LEAF(endbr_then_nop, "	endbr64\n" NOP5, NOP5);
LEAF(jump_inside, "", "	jmp 1f\n1:\n");
LEAF(branch_inside, "", "	test %rdi, %rdi\n	js 1f\n" NOP5 "1:\n");
LEAF(stepped, "", "	xor %eax, %eax\n");

namespace {

using Leaf = long (*)(long, long);
struct Case {
  const char* name;
  Leaf leaf;
};
const Case cases[] = {{"nop_inside", nop_inside},           {"nop_before", nop_before},
                      {"nops_everywhere", nops_everywhere}, {"short_nop_inside", short_nop_inside},
                      {"endbr_then_nop", endbr_then_nop},   {"jump_inside", jump_inside},
                      {"branch_inside", branch_inside},     {"stepped", stepped}};

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  for (const Case& one : cases) {
    protocol::Tally tally;
    long wrong = 0;
    for (long i = 0; i < rounds; ++i) {
      tally.enter();
      if (one.leaf(i - 50, i * 3) != i - 50 + i * 3) ++wrong;
      tally.leave(0);
    }
    protocol::print(one.name, tally);
    protocol::print("wrong", wrong);
  }
}
