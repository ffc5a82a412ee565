// libcalls.so: exported functions, called from outside and from each other through its own PLT.
#define KEPT __attribute__((noinline, noclone, noipa, used))

KEPT long calls_library(long x) {
  return x * 3 + 1;
}

KEPT long calls_within(long x) {
  return calls_library(x) + calls_library(x + 1) + 1;
}

// Ends in a jump to an exported function: through the PLT, or through the GOT with -fno-plt.
KEPT long calls_tail(long x) {
  return calls_library(x + 7);
}
