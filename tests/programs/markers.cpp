// markers N: passes USDT markers of the provider `shop`: `step` at two places with two forms of arguments, `guarded`
// only while somebody watches it.
#include "marker.h"
#include "protocol.h"

namespace {

long steps = 0;
long sum = 0;
long guarded = 0;
volatile long in_memory = 0;

}  // namespace

// Up while a breakpoint stands on `guarded`: the kernel counts in it.
extern "C" {
unsigned short shop_guarded_semaphore __attribute__((section(".probes"), used)) = 0;
}

PROBED static void in_registers(long i) {
  const int half = static_cast<int>(i / 2);
  MARKER("step", "0", "-8@%0 -4@%1", "r"(i), "r"(half));
}

PROBED static void elsewhere(long i) {
  in_memory = i;
  const int half = static_cast<int>(i / 2);
  MARKER("step", "0", "-8@%0 -4@%1", "m"(in_memory), "m"(half));
}

PROBED static void only_if_watched(long i) {
  if (shop_guarded_semaphore == 0) return;
  ++guarded;
  MARKER("guarded", "shop_guarded_semaphore", "-8@%0 8@$7", "r"(i));
}

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  for (long i = 0; i < rounds; ++i) {
    in_registers(i);
    elsewhere(i);
    steps += 2;
    sum += 2 * i;
    only_if_watched(i);
  }
  protocol::print("semaphore", shop_guarded_semaphore);
  std::fflush(stdout);
  protocol::wait_for_line();
  const long before = guarded;
  only_if_watched(0);
  protocol::print("steps", steps);
  protocol::print("sum", sum);
  protocol::print("guarded", before);
  protocol::print("guarded_later", guarded - before);
  protocol::print("semaphore_later", shop_guarded_semaphore);
}
