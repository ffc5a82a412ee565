// storm T N: T threads call `risky` N times each through `between`; every seventh call of a thread throws, and is
// caught two frames up.
#include <stdexcept>
#include <thread>
#include <vector>

#include "tally.h"

namespace {

protocol::Tally risky_tally, between_tally;

}  // namespace

extern "C" {

PROBED long risky(long i) {
  SAVES_A_REGISTER();
  risky_tally.enter();
  if (i % 7 == 6) throw std::runtime_error("the seventh");
  return risky_tally.leave(i);
}

PROBED long between(long i) {
  SAVES_A_REGISTER();
  between_tally.enter();
  return between_tally.leave(risky(i) + 1);
}

}  // extern "C"

int main(int argc, char** argv) {
  const long threads = protocol::argument(argc, argv, 1, 8);
  const long calls = protocol::argument(argc, argv, 2, 1000);
  protocol::ready();
  std::atomic<long> caught = 0;
  std::atomic<long> results = 0;
  std::vector<std::thread> workers;
  for (long t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (long i = 0; i < calls; ++i) {
        try {
          results += between(i);
        } catch (const std::runtime_error&) {
          ++caught;
        }
      }
    });
  }
  for (auto& worker : workers) worker.join();
  protocol::print("risky", risky_tally);
  protocol::print("between", between_tally);
  protocol::print("caught", caught);
  protocol::print("results", results);
}
