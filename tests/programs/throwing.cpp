// throwing N: calls `risky` N times through `between`; every seventh call throws, and the exception is caught two
// frames up.
#include <stdexcept>

#include "protocol.h"

namespace {

long risky_calls = 0;
long risky_returns = 0;

}  // namespace

extern "C" {

PROBED long risky(long i) {
  SAVES_A_REGISTER();
  ++risky_calls;
  if (i % 7 == 6) throw std::runtime_error("the seventh");
  asm volatile("" : "+r"(i));
  return i;
}

PROBED long between(long i) {
  SAVES_A_REGISTER();
  long result = risky(i);
  asm volatile("" : "+r"(result));
  ++risky_returns;
  return result + 1;
}

}  // extern "C"

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 700);
  protocol::ready();
  long caught = 0;
  long results = 0;
  for (long i = 0; i < calls; ++i) {
    try {
      results += between(i);
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  protocol::print("calls", risky_calls);
  protocol::print("returns", risky_returns);
  protocol::print("throws", caught);
  protocol::print("results", results);
}
