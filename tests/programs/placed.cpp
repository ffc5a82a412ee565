// Functions whose cheap places are not their first and last instructions.  Each does its work n times, with 0, 1, 2...
// as argument.  Usage: placed [n]
#include "protocol.h"

// Each begins or ends as compilers write it.
asm(R"(
	.text
	.macro function name
	.globl \name
	.type \name, @function
	.balign 16
\name:
	.cfi_startproc
	.endm
	.macro end name
	.cfi_endproc
	.size \name, .-\name
	.endm

	function guarded            # a stack protector: jne to a call that does not return
	push %rbx
	.cfi_def_cfa_offset 16
	sub $16, %rsp
	.cfi_def_cfa_offset 32
	mov %fs:40, %rax
	mov %rax, 8(%rsp)
	lea 1(%rdi), %rcx
	mov %rcx, %rax
	mov 8(%rsp), %rdx
	cmp %fs:40, %rdx
	jne 1f
	add $16, %rsp
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_def_cfa_offset 32
	call abort@PLT
	end guarded

	function one_of_two         # the result is moved behind the branch; the other half returns elsewhere
	push %rbx
	.cfi_def_cfa_offset 16
	mov %rdi, %rbx
	test $1, %dil
	jne 1f
	mov %rbx, %rax
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_def_cfa_offset 16
	lea 5(%rbx), %rax
	nop
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	end one_of_two

	function tested             # test and jcc at the start, a loop back to the entry
	test %rdi, %rdi
	je 1f
	lea 7(%rdi), %rax
	ret
1:	xor %eax, %eax
	ret
	end tested

	function overwrites         # its argument is gone where the entry is cheap
	mov %rdi, %rax
	xor %edi, %edi
	jmp 1f
1:	ret
	end overwrites

	function looped             # a jump to just behind the entry: no place there
	xor %eax, %eax
1:	add %rdi, %rax
	nop
	dec %rdi
	jg 1b
	ret
	end looped

	function prefixed           # another function jumps into this one, as those of C libraries do
	mov %rdi, %rax
2:	add $3, %rax
	nop
	ret
	end prefixed

	function jumps_into
	lea 9(%rdi), %rax
	jmp 2b
	end jumps_into
)");

extern "C" {
long guarded(long);
long one_of_two(long);
long tested(long);
long overwrites(long);
long looped(long);
long prefixed(long);
long jumps_into(long);
}

int main(int argc, char** argv) {
  const long n = protocol::argument(argc, argv, 1, 1000);
  protocol::ready();
  using Function = long (*)(long);
  const struct {
    const char* name;
    Function function;
  } all[] = {{"guarded", guarded}, {"one_of_two", one_of_two}, {"tested", tested},        {"overwrites", overwrites},
             {"looped", looped},   {"prefixed", prefixed},     {"jumps_into", jumps_into}};
  for (const auto& each : all) {
    long sum = 0;
    for (long i = 0; i < n; ++i) sum += each.function(i);
    protocol::print(each.name, sum);
  }
  protocol::print("calls", n);
}
