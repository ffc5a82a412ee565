// jumps N: `leap` is left by longjmp, `flee` by siglongjmp out of a signal handler, both over `passage` as well; every
// fifth call.
#include <csetjmp>
#include <csignal>

#include "tally.h"

namespace {

std::jmp_buf landing;
sigjmp_buf refuge;
protocol::Tally leap_tally, flee_tally, passage_tally;

void handler(int /*number*/) {
  siglongjmp(refuge, 1);
}

}  // namespace

extern "C" {

PROBED long leap(long i) {
  SAVES_A_REGISTER();
  leap_tally.enter();
  if (i % 5 == 4) std::longjmp(landing, 1);
  return leap_tally.leave(i);
}

PROBED long flee(long i) {
  SAVES_A_REGISTER();
  flee_tally.enter();
  if (i % 5 == 4) std::raise(SIGUSR1);
  return flee_tally.leave(i);
}

PROBED long passage(long i) {
  SAVES_A_REGISTER();
  passage_tally.enter();
  return passage_tally.leave(i % 2 == 0 ? leap(i) : flee(i));
}

}  // extern "C"

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 500);
  std::signal(SIGUSR1, handler);
  protocol::ready();
  volatile long jumps = 0;
  volatile long results = 0;
  volatile long i = -1;
  while (i + 1 < calls) {
    i = i + 1;
    if (setjmp(landing) == 0 && sigsetjmp(refuge, 1) == 0) {
      const long result = passage(i);
      results = results + result;
    } else {
      jumps = jumps + 1;
    }
  }
  protocol::print("leap", leap_tally);
  protocol::print("flee", flee_tally);
  protocol::print("passage", passage_tally);
  protocol::print("jumps", jumps);
  protocol::print("results", results);
}
