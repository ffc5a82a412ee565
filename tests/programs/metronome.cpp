// metronome: calls `tick` until its standard input ends, and answers each line with `calls=N`: how often so far.
#include <thread>

#include "tally.h"

namespace {

std::atomic<long> ticks = 0;
std::atomic<bool> stop = false;

}  // namespace

extern "C" PROBED long tick(long i) {
  SAVES_A_REGISTER();
  ticks.fetch_add(1);
  asm volatile("" : "+r"(i));
  return i;
}

int main() {
  protocol::ready();
  std::thread ticking([] {
    while (!stop) tick(1);
  });
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) == 1) {
    if (byte != '\n') continue;
    protocol::print("calls", ticks);
    std::fflush(stdout);
  }
  stop = true;
  ticking.join();
  protocol::print("calls", ticks);
}
