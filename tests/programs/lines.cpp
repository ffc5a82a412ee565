// lines N: a line that is passed once a call, one in a copy of an inlined function, and one without code.
#include "protocol.h"

namespace {

long kept = 0;
long odd = 0;

}  // namespace

static inline __attribute__((always_inline)) void keep(long i) {
  asm volatile("" : "+r"(i));
  kept += i;  // here: inlined
}

extern "C" {

PROBED void first(long i) {
  asm volatile("" ::: "memory");
  if (i % 2 != 0) {
    ++odd;  // here: odd
  }

  keep(i);
}

PROBED void second(long i) {
  asm volatile("" ::: "memory");
  keep(i + 1);
}

}  // extern "C"

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  for (long i = 0; i < rounds; ++i) {
    first(i);
    second(i);
  }
  protocol::print("odd", odd);
  protocol::print("kept", 2 * rounds);
}
