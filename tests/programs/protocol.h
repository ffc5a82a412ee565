// What every program under the probe speaks: it prints `ready PID`, waits for a line (or the end) on its standard
// input, does its counted work, and prints its own counts as `name=value` lines.  Tests compare those with what the
// probes say.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

// A function that a probe can meet: one copy, never inlined, never cloned.
#if defined(__clang__)
#define PROBED __attribute__((noinline))
#else
#define PROBED __attribute__((noinline, noclone))
#endif

// Makes the function save a register, so that it starts with a `push`: the kernel emulates that, and millions of calls
// under a probe take seconds and not minutes.
#if defined(__x86_64__)
#define SAVES_A_REGISTER() asm volatile("" ::: "rbx")
#else
#define SAVES_A_REGISTER() asm volatile("")
#endif

namespace protocol {

// Waits for one line or the end of standard input.
inline void wait_for_line() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') {
  }
}

inline void ready() {
  std::printf("ready %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  wait_for_line();
}

inline void print(const char* name, long value) {
  std::printf("%s=%ld\n", name, value);
}

// The argument at `index`, or `otherwise`.
inline long argument(int argc, char** argv, int index, long otherwise) {
  return index < argc ? std::strtol(argv[index], nullptr, 0) : otherwise;
}

}  // namespace protocol
