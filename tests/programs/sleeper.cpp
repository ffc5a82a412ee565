// sleeper N US: calls `nap(US)` N times and prints how long each took, measured within the function and around its
// call: a probe's `elapsed` lies between the two.
#include <algorithm>
#include <limits>
#include <time.h>

#include "protocol.h"

namespace {

long now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

struct Times {
  long least = std::numeric_limits<long>::max();
  long most = 0;
  long sum = 0;

  void add(long elapsed) {
    least = std::min(least, elapsed);
    most = std::max(most, elapsed);
    sum += elapsed;
  }
};
Times inside;

}  // namespace

extern "C" PROBED long nap(long microseconds) {
  const long start = now_ns();
  const timespec time{.tv_sec = microseconds / 1'000'000, .tv_nsec = microseconds % 1'000'000 * 1000};
  nanosleep(&time, nullptr);
  inside.add(now_ns() - start);
  return microseconds;
}

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 20);
  const long microseconds = protocol::argument(argc, argv, 2, 5000);
  protocol::ready();
  Times around;
  for (long i = 0; i < calls; ++i) {
    const long start = now_ns();
    nap(microseconds);
    around.add(now_ns() - start);
  }
  protocol::print("calls", calls);
  protocol::print("inside_min_ns", inside.least);
  protocol::print("inside_max_ns", inside.most);
  protocol::print("inside_sum_ns", inside.sum);
  protocol::print("around_min_ns", around.least);
  protocol::print("around_max_ns", around.most);
  protocol::print("around_sum_ns", around.sum);
}
