// longjmp N: calls `leap` N times through `passage`; every fifth call jumps out over both frames.
#include <csetjmp>

#include "protocol.h"

namespace {

std::jmp_buf landing;
volatile long leap_calls = 0;
volatile long leap_returns = 0;
volatile long jumps = 0;

}  // namespace

extern "C" {

PROBED long leap(long i) {
  SAVES_A_REGISTER();
  leap_calls = leap_calls + 1;
  if (i % 5 == 4) std::longjmp(landing, 1);
  asm volatile("" : "+r"(i));
  return i;
}

PROBED long passage(long i) {
  SAVES_A_REGISTER();
  long result = leap(i);
  asm volatile("" : "+r"(result));
  leap_returns = leap_returns + 1;
  return result + 1;
}

}  // extern "C"

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 500);
  protocol::ready();
  for (volatile long i = 0; i < calls; i = i + 1) {
    if (setjmp(landing) == 0) {
      passage(i);
    } else {
      jumps = jumps + 1;
    }
  }
  protocol::print("calls", leap_calls);
  protocol::print("returns", leap_returns);
  protocol::print("jumps", jumps);
}
