// A function that realigns its stack, with call-frame information in .debug_frame alone: for the tests that read this
// program's tables.
#include <alloca.h>
#include <stdio.h>

__asm__(".cfi_sections .debug_frame");

__attribute__((noinline, noclone)) void fill(volatile char* fixed, volatile char* variable, long n) {
  fixed[n & 63] = 1;
  variable[n] = 2;
}

__attribute__((noinline, noclone)) long realigned(long n) {
  _Alignas(64) volatile char fixed[64];
  volatile char* variable = (volatile char*)alloca((size_t)n + 1);
  fill(fixed, variable, n);
  return fixed[n & 63] + variable[n];
}

int main(int argc, char** argv) {
  (void)argv;
  printf("sum=%ld\n", realigned(argc));
  return 0;
}
