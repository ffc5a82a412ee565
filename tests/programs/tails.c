// One function for each way out, for the tests that read this program's code.  Prints how often each was called.
#include <stdio.h>
#include <stdlib.h>

#define KEPT __attribute__((noinline, noclone, used))
#define HIDE(x) __asm__ volatile("" : "+r"(x))

KEPT long tail_target(long x) {
  HIDE(x);
  return x + 1;
}

/* Leaves by a jump half of the time, by `ret` the other half. */
KEPT long tail_half(long x) {
  if (x & 1) return tail_target(x);
  return x * 3;
}

/* "Leaves" by a conditional jump: compilers write `jcc` to another function only now and then, so by hand. */
__asm__(
    ".text\n"
    ".globl tail_if\n"
    ".type tail_if, @function\n"
    "tail_if:\n"
    "	test %rdi, %rdi\n"
    "	je tail_target\n"
    "	lea 2(%rdi), %rax\n"
    "	ret\n"
    ".size tail_if, .-tail_if\n");
long tail_if(long x);

/* A loop of tail calls to itself by its first byte. */
__asm__(
    ".globl tail_self\n"
    ".type tail_self, @function\n"
    "tail_self:\n"
    "	push %rbx\n"
    "	pop %rbx\n"
    "	dec %rdi\n"
    "	test %rdi, %rdi\n"
    "	jg tail_self\n"
    "	mov %rdi, %rax\n"
    "	repz ret\n"
    ".size tail_self, .-tail_self\n");
long tail_self(long x);

long (*volatile tail_table[2])(long) = {tail_target, tail_half};

KEPT long tail_register(long x) {
  long (*to)(long) = tail_table[x & 1];
  HIDE(to);
  return to(x);
}

/* Leaves through memory: `jmp *tail_table+8(%rip)`. */
__asm__(
    ".globl tail_memory\n"
    ".type tail_memory, @function\n"
    "tail_memory:\n"
    "	jmp *tail_table+8(%rip)\n"
    ".size tail_memory, .-tail_memory\n"
    ".globl tail_indexed\n"
    ".type tail_indexed, @function\n"
    "tail_indexed:\n"
    "	lea tail_table(%rip), %r11\n"
    "	mov $1, %r12d\n"
    "	jmp *-8(%r11, %r12, 8)\n"
    ".size tail_indexed, .-tail_indexed\n");

KEPT long switch_table(long x) {
  switch (x) {
    case 0:
      return tail_target(11);
    case 1:
      return x + 22;
    case 2:
      puts("two");
      return 33;
    case 3:
      puts("three");
      return 44;
    case 4:
      puts("four");
      return 55;
    case 5:
      puts("five");
      return 66;
    case 6:
      puts("six");
      return 77;
    default:
      return -1;
  }
}

__attribute__((cold, noinline)) void complain(long x) {
  fprintf(stderr, "odd value %ld\n", x);
}

/* Its unlikely half lands in `cold_half.cold` and comes back or returns from there. */
KEPT long cold_half(long x) {
  if (__builtin_expect(x < 0, 0)) {
    complain(x);
    complain(-x);
    return x * 7;
  }
  return x + 5;
}

/* Data among the code: a table inside of the function's size. */
__asm__(
    ".globl data_in_text\n"
    ".type data_in_text, @function\n"
    "data_in_text:\n"
    "	push %rbp\n"
    "	pop %rbp\n"
    "	ret\n"
    "	.byte 0x06, 0x07, 0x0e, 0x27, 0xff, 0xff\n"
    ".size data_in_text, .-data_in_text\n"
    /* a symbol of no size, one of a table, and first instructions that no breakpoint may stand on */
    ".globl size_zero\n"
    ".type size_zero, @function\n"
    "size_zero:\n"
    "	ret\n"
    ".globl starts_with_syscall\n"
    ".type starts_with_syscall, @function\n"
    "starts_with_syscall:\n"
    "	syscall\n"
    "	ret\n"
    ".size starts_with_syscall, .-starts_with_syscall\n"
    ".globl starts_with_avx\n"
    ".type starts_with_avx, @function\n"
    "starts_with_avx:\n"
    "	vzeroupper\n"
    "	ret\n"
    ".size starts_with_avx, .-starts_with_avx\n"
    ".globl runs_on\n"
    ".type runs_on, @function\n"
    "runs_on:\n"
    "	xor %eax, %eax\n"
    ".size runs_on, .-runs_on\n"
    "	ret\n"
    ".globl starts_with_nop5\n"
    ".type starts_with_nop5, @function\n"
    ".balign 16\n"
    "starts_with_nop5:\n"
    "	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
    "	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
    "	ret\n"
    ".size starts_with_nop5, .-starts_with_nop5\n"
    ".globl starts_with_endbr\n"
    ".type starts_with_endbr, @function\n"
    "starts_with_endbr:\n"
    "	endbr64\n"
    "	push %r12\n"
    "	pop %r12\n"
    "	ret\n"
    ".size starts_with_endbr, .-starts_with_endbr\n"
    ".pushsection .rodata\n"
    ".globl not_code\n"
    ".type not_code, @function\n"
    "not_code:\n"
    "	.quad 0x1122334455667788\n"
    ".size not_code, .-not_code\n"
    ".popsection\n");

static long by_ifunc_plus(long x) {
  return x + 100;
}
static long (*choose(void))(long) {
  return by_ifunc_plus;
}
long by_ifunc(long x) __attribute__((ifunc("choose")));

long alias_one(long x) __attribute__((alias("tail_target")));

int main(void) {
  long sum = 0;
  for (long i = 0; i < 100; ++i) {
    sum += tail_half(i) + tail_if(i & 1) + tail_self(3) + tail_register(i) + cold_half(i) + by_ifunc(i) + alias_one(i);
  }
  sum += switch_table(sum & 1);
  printf("calls 100\nsum %ld\n", sum);
  return 0;
}
