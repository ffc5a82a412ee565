// fibres N: two ucontext fibres, each inside `leg` when it yields to the other; after half of its rounds the second one
// goes on in another thread.
#include <functional>
#include <thread>
#include <ucontext.h>
#include <vector>

#include "tally.h"

namespace {

protocol::Tally leg_tally, inner_tally;

struct Fibre {
  ucontext_t own{};
  ucontext_t* resumer = nullptr;  // of whoever runs it now
  std::vector<char> stack = std::vector<char>(256UL * 1024);
  long rounds = 0;
  long sum = 0;
  bool done = false;
};
Fibre fibres[2];

// The fibre may wake up in another thread: nothing of a thread is kept across the switch.
[[gnu::noinline]] void yield(Fibre& fibre) {
  swapcontext(&fibre.own, fibre.resumer);
}

[[gnu::noinline]] void resume(Fibre& fibre) {
  ucontext_t here{};
  fibre.resumer = &here;
  swapcontext(&here, &fibre.own);
}

}  // namespace

extern "C" {

PROBED long inner(Fibre* fibre, long i) {
  SAVES_A_REGISTER();
  inner_tally.enter();
  yield(*fibre);
  return inner_tally.leave(i);
}

PROBED long leg(Fibre* fibre, long i) {
  SAVES_A_REGISTER();
  leg_tally.enter();
  const long before = inner(fibre, i);
  yield(*fibre);
  return leg_tally.leave(before + inner(fibre, i));
}

}  // extern "C"

namespace {

void body(int number) {
  Fibre& fibre = fibres[number];
  for (long i = 0; i < fibre.rounds; ++i) fibre.sum += leg(&fibre, i);
  fibre.done = true;
  for (;;) yield(fibre);
}

void start(int number, long rounds) {
  Fibre& fibre = fibres[number];
  fibre.rounds = rounds;
  getcontext(&fibre.own);
  fibre.own.uc_stack.ss_sp = fibre.stack.data();
  fibre.own.uc_stack.ss_size = fibre.stack.size();
  fibre.own.uc_link = nullptr;
  makecontext(&fibre.own, reinterpret_cast<void (*)()>(body), 1, number);
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 100);
  start(0, rounds);
  start(1, rounds);
  protocol::ready();
  // Three yields a round; an odd number of switches, so that the one that moves is inside of both functions.
  for (long i = 0; i < rounds * 3 / 2 / 3 * 3 + 1; ++i) {
    resume(fibres[0]);
    resume(fibres[1]);
  }
  std::thread([&] {
    while (!fibres[1].done) resume(fibres[1]);
  }).join();
  while (!fibres[0].done) resume(fibres[0]);
  protocol::print("leg", leg_tally);
  protocol::print("inner", inner_tally);
  protocol::print("sum0", fibres[0].sum);
  protocol::print("sum1", fibres[1].sum);
}
