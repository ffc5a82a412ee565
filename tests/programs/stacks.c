// stacks: code that writes rsp.  `keeps_*` end frames, arrays and alignments; `switches_*` take another stack and are
// never called here.  Prints a sum.
#include <stdio.h>
#include <string.h>

#define KEPT __attribute__((noinline, noclone, noipa, used))

KEPT static long keeps_array(long size) {
  long sum = 0;
  for (long i = 1; i < size; ++i) {
    char array[i * 8];
    memset(array, (int)i, sizeof array);
    __asm__ volatile("" ::"r"(array) : "memory");
    sum += array[0];
  }
  return sum;
}

KEPT static long keeps_alloca(long size) {
  char* array = __builtin_alloca((unsigned long)size);
  memset(array, 3, (unsigned long)size);
  __asm__ volatile("" ::"r"(array) : "memory");
  return array[size - 1];
}

KEPT static long keeps_aligned(long x) {
  _Alignas(64) char array[128];
  memset(array, (int)x, sizeof array);
  __asm__ volatile("" ::"r"(array) : "memory");
  return array[5];
}

#ifdef SWITCHES
#define SWITCH(name, code) \
  __asm__(".text\n.type " #name ", @function\n" #name ":\n" code "\nret\n.size " #name ", . - " #name "\n")
SWITCH(switches_by_memory, "mov %rsp, (%rdi)\nmov (%rsi), %rsp");
SWITCH(switches_by_register, "mov %rsp, %rax\nmov %rax, (%rdi)\nmov %rsi, %rsp");
SWITCH(switches_by_reused_register, "mov %rsp, %rax\nmov %rax, (%rdi)\nmov (%rsi), %rax\nmov %rax, %rsp");
SWITCH(switches_by_exchange, "xchg %rdi, %rsp");
SWITCH(switches_by_pop, "push %rdi\npop %rsp");
SWITCH(switches_by_lea, "lea 8(%rdi), %rsp");
SWITCH(switches_by_constant, "mov $0x1000, %rsp");
SWITCH(switches_by_cmov, "cmovne %rdi, %rsp");
SWITCH(switches_by_rax, "xchg %rax, %rsp");
// None: r12 shares the low bits of its number with rsp, and 5c is a displacement here.
SWITCH(resembles, "mov (%rsi), %r12\nmov %rdi, %r12\npop %r12\nmov %rbx, 0x5c(%rax)\nmov 8(%rax,%rbx), %rbx");
#endif

int main(void) {
  printf("sum %ld\n", keeps_array(20) + keeps_alloca(100) + keeps_aligned(7));
  return 0;
}
