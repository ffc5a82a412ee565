// signal_stack N: a handler on a stack of its own calls `handled` while the program is inside of `interrupted`, which
// is called by `outside`.  That stack lies below the interrupted one in the main thread, above it in a second thread.
#include <csignal>
#include <pthread.h>
#include <sys/mman.h>
#include <vector>

#include "tally.h"

namespace {

protocol::Tally handled_tally, interrupted_tally, outside_tally;
constexpr std::size_t stack_bytes = 64UL * 1024;
long rounds = 0;
volatile long results = 0;

}  // namespace

extern "C" {

PROBED long handled(long i) {
  SAVES_A_REGISTER();
  handled_tally.enter();
  return handled_tally.leave(i + 1);
}

PROBED long interrupted(long i) {
  SAVES_A_REGISTER();
  interrupted_tally.enter();
  std::raise(SIGUSR1);
  return interrupted_tally.leave(i);
}

PROBED long outside(long i) {
  SAVES_A_REGISTER();
  outside_tally.enter();
  return outside_tally.leave(interrupted(i) + 1);
}

}  // extern "C"

namespace {

void handler(int number) {
  results = results + handled(number);
}

void call_with(void* memory) {
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = stack_bytes;
  sigaltstack(&stack, nullptr);
  for (long i = 0; i < rounds; ++i) results = results + outside(i);
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, nullptr);
}

void* thread(void* stack_for_signals) {
  call_with(stack_for_signals);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  rounds = protocol::argument(argc, argv, 1, 100);
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  protocol::ready();
  std::vector<char> below(stack_bytes);
  call_with(below.data());

  // One piece of memory: the thread's stack first, that of its signals behind it.
  constexpr std::size_t thread_bytes = 256UL * 1024;
  void* memory = mmap(nullptr, thread_bytes + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  pthread_attr_t attributes{};
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, memory, thread_bytes);
  pthread_t one{};
  if (pthread_create(&one, &attributes, thread, static_cast<char*>(memory) + thread_bytes) != 0) return 1;
  pthread_join(one, nullptr);
  protocol::print("handled", handled_tally);
  protocol::print("interrupted", interrupted_tally);
  protocol::print("outside", outside_tally);
  protocol::print("results", results);
}
