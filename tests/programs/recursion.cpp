// recursion D R F: R rounds of `down` to depth D, of mutually recursive `even`/`odd` from D, and of `fib(F)`.
#include "protocol.h"

namespace {

struct Counts {
  long down = 0;
  long even = 0;
  long odd = 0;
  long fib = 0;
  long results = 0;
};
Counts counts;

}  // namespace

extern "C" {

PROBED long down(long depth) {
  SAVES_A_REGISTER();
  ++counts.down;
  if (depth <= 1) return 1;
  long result = down(depth - 1);
  asm volatile("" : "+r"(result));  // the call is not the last thing done, so it stays a call
  return result + 1;
}

PROBED long odd(long n);

PROBED long even(long n) {
  SAVES_A_REGISTER();
  ++counts.even;
  if (n == 0) return 1;
  long result = odd(n - 1);
  asm volatile("" : "+r"(result));
  return result;
}

PROBED long odd(long n) {
  SAVES_A_REGISTER();
  ++counts.odd;
  if (n == 0) return 0;
  long result = even(n - 1);
  asm volatile("" : "+r"(result));
  return result;
}

PROBED long fib(long n) {
  SAVES_A_REGISTER();
  ++counts.fib;
  if (n < 2) return n;
  long one = fib(n - 1);
  asm volatile("" : "+r"(one));
  long two = fib(n - 2);
  asm volatile("" : "+r"(two));
  return one + two;
}

}  // extern "C"

int main(int argc, char** argv) {
  const long depth = protocol::argument(argc, argv, 1, 10);
  const long rounds = protocol::argument(argc, argv, 2, 100);
  const long order = protocol::argument(argc, argv, 3, 10);
  protocol::ready();
  for (long round = 0; round < rounds; ++round) {
    counts.results += down(depth) + even(depth) + fib(order);
  }
  protocol::print("down", counts.down);
  protocol::print("even", counts.even);
  protocol::print("odd", counts.odd);
  protocol::print("fib", counts.fib);
  protocol::print("results", counts.results);
  protocol::print("deepest", depth);
}
