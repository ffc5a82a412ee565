// parts N: functions with more than one way out: `half` jumps to another function half of the time, `split` has a cold
// part that returns on its own.
#include "tally.h"

namespace {

protocol::Tally half_tally, other_tally, split_tally;
volatile long complaints = 0;

}  // namespace

extern "C" {

PROBED long other(long i) {
  SAVES_A_REGISTER();
  other_tally.enter();
  return other_tally.leave(i + 1);
}

// The count is kept by the caller where this function no longer runs.
PROBED long half(long i) {
  SAVES_A_REGISTER();
  half_tally.enter();
  half_tally.returns.fetch_add(1, std::memory_order_relaxed);
  if (i % 2 == 1) return other(i);
  return i * 3;
}

[[gnu::cold, gnu::noinline]] void complain(long i) {
  complaints = complaints + i;
}

PROBED long split(long i) {
  SAVES_A_REGISTER();
  split_tally.enter();
  if (__builtin_expect(static_cast<long>(i % 3 == 2), 0) != 0) {
    complain(i);
    complain(-i + 1);
    split_tally.returns.fetch_add(1, std::memory_order_relaxed);
    return i * 7;
  }
  split_tally.returns.fetch_add(1, std::memory_order_relaxed);
  return i + 5;
}

}  // extern "C"

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 300);
  protocol::ready();
  long results = 0;
  for (long i = 0; i < rounds; ++i) results += half(i) + split(i);
  protocol::print("half", half_tally);
  protocol::print("other", other_tally);
  protocol::print("split", split_tally);
  protocol::print("complaints", complaints);
  protocol::print("results", results);
}
