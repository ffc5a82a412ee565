// What a program knows of one of its functions, printed as `NAME.calls=`, `NAME.returns=`, `NAME.errors=` and
// `NAME.inside=`: for each, calls = returns + errors + inside.
#pragma once

#include <atomic>
#include <cstdio>

#include "protocol.h"

namespace protocol {

struct Tally {
  std::atomic<long> calls{0};
  std::atomic<long> returns{0};

  void enter() { calls.fetch_add(1, std::memory_order_relaxed); }
  long leave(long result) {
    returns.fetch_add(1, std::memory_order_relaxed);
    asm volatile("" : "+r"(result));  // keeps the calls before it from becoming jumps
    return result;
  }
};

// `inside`: calls that never end: their thread or their program image ends first.  What else has not returned was left.
inline void print(const char* name, const Tally& tally, long inside = 0) {
  const long calls = tally.calls;
  const long returns = tally.returns;
  std::printf("%s.calls=%ld\n%s.returns=%ld\n", name, calls, name, returns);
  std::printf("%s.errors=%ld\n%s.inside=%ld\n", name, calls - returns - inside, name, inside);
}

}  // namespace protocol
