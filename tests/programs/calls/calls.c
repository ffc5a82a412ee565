// calls: every way of calling a function that can be read from the code.  Prints what it has called.
#include <stdio.h>

#define KEPT __attribute__((noinline, noclone, noipa, used))

long calls_library(long x);
long calls_within(long x);
long calls_tail(long x);

static long direct_count, tail_count;

KEPT static long callee(long x) {
  ++direct_count;
  return x ^ 5;
}

KEPT static long recursive(long x) {
  return x > 0 ? recursive(x - 1) + callee(x) : 1;
}

// Jumps to `callee`: the callers of these are callers of it.
KEPT static long tail(long x) {
  ++tail_count;
  return callee(x + 1);
}

KEPT static long tail_of_tail(long x) {
  return tail(x + 2);
}

KEPT static long conditional_tail(long x) {
  if (x > 3) return callee(x);
  return x;
}

KEPT static long library_tail(long x) {
  return calls_library(x + 4);
}

KEPT static long twice(long x) {
  long sum = callee(x);
  sum += callee(sum);
  return sum + calls_library(sum);
}

// Bytes that look like a call to `callee` in the middle of other instructions: no caller.
KEPT static long imitates(long x) {
  long y;
  __asm__(
      "movabs $0x90909090909090e8, %0\n\t"
      "movl $0xe8909090, %%ecx\n\t"
      ".byte 0x48, 0xb8, 0xe8\n\t"
      ".long callee - . - 4\n\t"
      ".byte 0x90, 0x90, 0x90"
      : "=a"(y)::"rcx");
  return (y & 1) + x;
}

int main(void) {
  long (*volatile pointer)(long) = callee;
  long sum = 0;
  for (long i = 0; i < 10; ++i) {
    sum += recursive(i) + tail(i) + tail_of_tail(i) + conditional_tail(i) + library_tail(i) + twice(i) + imitates(i);
    sum += pointer(i) + calls_within(i) + calls_tail(i) + calls_library(i);
  }
  printf("calls %ld\ntails %ld\nsum %ld\n", direct_count, tail_count, sum);
  return 0;
}
