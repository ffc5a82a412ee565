// threads T N: T threads, each calling `work` N times; with N = 0 each calls until a second line arrives on standard
// input.
#include <atomic>
#include <thread>
#include <vector>

#include "protocol.h"

extern "C" PROBED long work(long i) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(i));
  return i * 3;
}

namespace {

constexpr int labels = 4;

struct Tally {
  long calls = 0;
  long arguments = 0;
  long results = 0;
  long label[labels] = {};
};

Tally call(long first, long count, const std::atomic<bool>& stop) {
  Tally tally;
  for (long i = first; count == 0 ? !stop.load(std::memory_order_relaxed) : i < first + count; ++i) {
    tally.results += work(i);
    tally.arguments += i;
    ++tally.label[i % labels];
    ++tally.calls;
  }
  return tally;
}

}  // namespace

int main(int argc, char** argv) {
  const long threads = protocol::argument(argc, argv, 1, 4);
  const long count = protocol::argument(argc, argv, 2, 1000);
  protocol::ready();

  std::atomic<bool> stop = false;
  std::vector<Tally> tallies(static_cast<std::size_t>(threads));
  std::vector<std::thread> workers;
  for (long t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] { tallies[static_cast<std::size_t>(t)] = call(t * count, count, stop); });
  }
  if (count == 0) {
    protocol::wait_for_line();
    stop = true;
  }
  for (auto& worker : workers) worker.join();

  Tally sum;
  for (const Tally& tally : tallies) {
    sum.calls += tally.calls;
    sum.arguments += tally.arguments;
    sum.results += tally.results;
    for (int i = 0; i < labels; ++i) sum.label[i] += tally.label[i];
  }
  protocol::print("calls", sum.calls);
  protocol::print("arguments", sum.arguments);
  protocol::print("results", sum.results);
  protocol::print("label0", sum.label[0]);
  protocol::print("label1", sum.label[1]);
  protocol::print("label2", sum.label[2]);
  protocol::print("label3", sum.label[3]);
}
