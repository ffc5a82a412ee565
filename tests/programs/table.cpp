// table N: a table of bytes among the code, right behind the function `beside` that reads it, under a name that begins
// alike.
#include "tally.h"

asm(".text\n"
    ".globl beside\n"
    ".type beside, @function\n"
    "beside:\n"
    "	.cfi_startproc\n"
    "	push %rbx\n"
    "	.cfi_adjust_cfa_offset 8\n"
    "	and $15, %edi\n"
    "	lea beside_table(%rip), %rbx\n"
    "	movzbl (%rbx, %rdi), %eax\n"
    "	pop %rbx\n"
    "	.cfi_adjust_cfa_offset -8\n"
    "	ret\n"
    "	.cfi_endproc\n"
    ".size beside, .-beside\n"
    ".globl beside_table\n"
    ".type beside_table, @object\n"
    "beside_table:\n"
    "	.byte 0x55, 0x90, 0xc3, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x53, 0x5b, 0xc3\n"
    ".size beside_table, .-beside_table\n"
    ".globl beside_nothing\n"
    ".type beside_nothing, @function\n"
    "beside_nothing:\n"
    "	ret\n");
extern "C" long beside(long);
extern "C" const unsigned char beside_table[16];

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 320);
  protocol::ready();
  protocol::Tally tally;
  long sum = 0;
  for (long i = 0; i < rounds; ++i) {
    tally.enter();
    sum += tally.leave(beside(i));
  }
  long bytes = 0;
  for (long i = 0; i < 16; ++i) bytes = bytes * 3 + beside_table[i];
  protocol::print("beside", tally);
  protocol::print("sum", sum);
  protocol::print("bytes", bytes);
}
