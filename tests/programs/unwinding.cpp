// unwinding N: N rounds in which an exception leaves one, two or three frames, is thrown again on its way, ends in the
// middle, or runs destructors that call functions, throw and catch for themselves.  Every seventh round throws.
#include <stdexcept>

#include "tally.h"

namespace {

protocol::Tally first_tally, second_tally, third_tally, rethrows_tally, catches_tally, sweeps_tally, swept_tally;

}  // namespace

extern "C" {

PROBED long third(long i) {
  SAVES_A_REGISTER();
  third_tally.enter();
  if (i % 7 == 6) throw std::runtime_error("the seventh");
  return third_tally.leave(i);
}

PROBED long second(long i) {
  SAVES_A_REGISTER();
  second_tally.enter();
  return second_tally.leave(third(i) + 1);
}

PROBED long first(long i) {
  SAVES_A_REGISTER();
  first_tally.enter();
  return first_tally.leave(second(i) + 1);
}

PROBED long rethrows(long i) {
  SAVES_A_REGISTER();
  rethrows_tally.enter();
  try {
    return rethrows_tally.leave(second(i));
  } catch (const std::runtime_error&) {
    throw;
  }
}

PROBED long catches(long i) {
  SAVES_A_REGISTER();
  catches_tally.enter();
  long result = -1;
  try {
    result = second(i);
  } catch (const std::runtime_error&) {
    result = i * 2;
  }
  return catches_tally.leave(result);
}

// Runs while an exception is on its way, too, and has one of its own that stays within.
PROBED long swept(long i) {
  SAVES_A_REGISTER();
  swept_tally.enter();
  long result = i;
  if (i % 2 == 1) {
    try {
      result = second(6);
    } catch (const std::runtime_error&) {
      result = -i;
    }
  }
  return swept_tally.leave(result);
}

}  // extern "C"

namespace {

long swept_sum = 0;

struct Sweeper {
  long i;
  ~Sweeper() { swept_sum += swept(i) + catches(i); }
};

}  // namespace

extern "C" PROBED long sweeps(long i) {
  SAVES_A_REGISTER();
  sweeps_tally.enter();
  const Sweeper one{i};
  const Sweeper other{i + 1};
  return sweeps_tally.leave(third(i));
}

namespace {

long round(long i) {
  switch (i % 5) {
    case 0:
      return first(i);
    case 1:
      return third(i);
    case 2:
      return rethrows(i);
    case 3:
      return catches(i);
    default:
      return sweeps(i);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 700);
  protocol::ready();
  long caught = 0;
  long results = 0;
  for (long i = 0; i < rounds; ++i) {
    try {
      results += round(i);
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  protocol::print("first", first_tally);
  protocol::print("second", second_tally);
  protocol::print("third", third_tally);
  protocol::print("rethrows", rethrows_tally);
  protocol::print("catches", catches_tally);
  protocol::print("sweeps", sweeps_tally);
  protocol::print("swept", swept_tally);
  protocol::print("caught", caught);
  protocol::print("results", results);
  protocol::print("swept_sum", swept_sum);
}
