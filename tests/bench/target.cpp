// bench_target: what ./dev bench measures on.  A line on standard input is a job:
//   run N          calls `hot` N times; prints the nanoseconds of one call
//   pace RATE MS   calls it RATE times a second for MS milliseconds, in bursts of a millisecond; prints the calls made
#include <cstring>
#include <time.h>

#include "protocol.h"

extern "C" PROBED long hot(long i, long k) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(i));
  return i + k;
}

namespace {

long now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

long call(long from, long to) {
  long sum = 0;
  for (long i = from; i < to; ++i) sum += hot(i, 7);
  asm volatile("" : "+r"(sum));
  return to - from;
}

void run(long count) {
  call(0, count / 20);
  const long start = now_ns();
  call(0, count);
  std::printf("%.2f\n", static_cast<double>(now_ns() - start) / static_cast<double>(count));
}

void pace(long rate, long milliseconds) {
  const long start = now_ns();
  long made = 0;
  for (long tick = 1; tick <= milliseconds; ++tick) {
    made += call(made, rate * tick / 1000);
    const long next = start + tick * 1'000'000;
    const timespec until{.tv_sec = next / 1'000'000'000, .tv_nsec = next % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  std::printf("%ld\n", made);
}

}  // namespace

int main() {
  std::printf("ready %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  char line[128];
  while (std::fgets(line, sizeof(line), stdin) != nullptr) {
    long one = 0;
    long two = 0;
    if (std::sscanf(line, "run %ld", &one) == 1) run(one);
    if (std::sscanf(line, "pace %ld %ld", &one, &two) == 2) pace(one, two);
    std::fflush(stdout);
  }
}
