// cancel N: N threads are cancelled while they wait inside `waits`, and N end themselves inside `exits`; `outer` is
// their caller.  Every frame on the way has an object to destroy.
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "tally.h"

namespace {

protocol::Tally outer_tally, waits_tally, exits_tally;
std::atomic<long> destroyed = 0;
sem_t waiting;

struct Object {
  long value;
  ~Object() { destroyed += value; }
};

}  // namespace

extern "C" {

PROBED long waits(long i) {
  SAVES_A_REGISTER();
  waits_tally.enter();
  const Object object{1};
  sem_post(&waiting);
  for (;;) pause();
  return waits_tally.leave(i);
}

PROBED long exits(long i) {
  SAVES_A_REGISTER();
  exits_tally.enter();
  const Object object{10};
  if (i >= 0) pthread_exit(nullptr);
  return exits_tally.leave(i);
}

PROBED long outer(long i) {
  SAVES_A_REGISTER();
  outer_tally.enter();
  const Object object{100};
  return outer_tally.leave(i % 2 == 0 ? waits(i) : exits(i));
}

}  // extern "C"

namespace {

void* thread(void* argument) {
  const Object object{1000};
  outer(reinterpret_cast<long>(argument));
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 20);
  sem_init(&waiting, 0, 0);
  protocol::ready();
  long cancelled = 0;
  for (long i = 0; i < 2 * rounds; ++i) {
    pthread_t one{};
    pthread_create(&one, nullptr, thread, reinterpret_cast<void*>(i));
    if (i % 2 == 0) {
      sem_wait(&waiting);
      pthread_cancel(one);
    }
    void* result = nullptr;
    pthread_join(one, &result);
    if (result == PTHREAD_CANCELED) ++cancelled;
  }
  protocol::print("outer", outer_tally);
  protocol::print("waits", waits_tally);
  protocol::print("exits", exits_tally);
  protocol::print("cancelled", cancelled);
  protocol::print("destroyed", destroyed);
}
