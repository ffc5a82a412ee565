// inlined N: a function that is inlined at two sites and called at a third; only the calls run its own code.
#include "tally.h"

namespace {

long all = 0;
protocol::Tally called;

}  // namespace

extern "C" {

inline long often_inlined(long i) {
  ++all;
  asm volatile("" : "+r"(i));
  return i * 2 + 1;
}

PROBED long one_site(long i) {
  return often_inlined(i) + 1;
}

PROBED long other_site(long i) {
  return often_inlined(i + 5) + 2;
}

}  // extern "C"

long (*volatile by_pointer)(long) = often_inlined;

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  long results = 0;
  for (long i = 0; i < rounds; ++i) {
    results += one_site(i) + other_site(i);
    called.enter();
    results += called.leave(by_pointer(i));
  }
  protocol::print("often_inlined", called);
  protocol::print("inlined", all - called.calls);
  protocol::print("results", results);
}
