// names N: functions whose name and code are not one to one: an ifunc, an alias, two of the same code (which a linker
// may fold), and the clones that a compiler makes.  Each counts inside of itself.
#include <cstdlib>

#include "tally.h"

namespace {

protocol::Tally chosen_tally, aliased_tally, folded_tally, special_tally, struct_tally, part_tally;

}  // namespace

extern "C" {

PROBED static long chosen(long i) {
  SAVES_A_REGISTER();
  chosen_tally.enter();
  return chosen_tally.leave(i + 100);
}

// Not counted: it runs before anything is there to count in, while the program is being linked.
static long (*choose())(long) {
  return chosen;
}
long by_ifunc(long i) __attribute__((ifunc("choose")));

PROBED long aliased(long i) {
  SAVES_A_REGISTER();
  aliased_tally.enter();
  return aliased_tally.leave(i + 1);
}
long other_name(long i) __attribute__((alias("aliased")));

PROBED long folded_one(long i) {
  SAVES_A_REGISTER();
  folded_tally.enter();
  return folded_tally.leave(i * 5);
}

PROBED long folded_two(long i) {
  SAVES_A_REGISTER();
  folded_tally.enter();
  return folded_tally.leave(i * 5);
}

// `.constprop`: called with one constant everywhere.
__attribute__((noinline)) static long special(long i, long factor) {
  SAVES_A_REGISTER();
  special_tally.enter();
  for (long k = 0; k < factor; ++k) asm volatile("" : "+r"(i));
  return special_tally.leave(i * factor);
}

struct Pair {
  long used;
  long unused[3];
};

// `.isra`: only one member of what it is given is read.
__attribute__((noinline)) static long of_struct(const Pair* pair) {
  const long used = pair->used;
  SAVES_A_REGISTER();
  struct_tally.enter();
  return struct_tally.leave(used + 1);
}

// `.part`: the short test goes into the callers, the rest stays, and only the rest counts.
static long in_parts(long i) {
  if (i % 4 != 0) return i;
  part_tally.enter();
  for (long k = 0; k < 7; ++k) {
    asm volatile("" : "+r"(i));
    if (i == -12345) std::abort();
    i += k * i % 11;
    i ^= k << 3;
  }
  std::fflush(stderr);
  std::fflush(stderr);
  std::fflush(stderr);
  return part_tally.leave(i);
}

}  // extern "C"

namespace {

__attribute__((noinline, noclone)) long one_caller(long i) {
  return in_parts(i) + 1;
}

__attribute__((noinline, noclone)) long another_caller(long i) {
  return in_parts(i + 2) + 3;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  long results = 0;
  for (long i = 0; i < rounds; ++i) {
    const Pair pair{i, {1, 2, 3}};
    const Pair other{i * 2, {4, 5, 6}};
    results += by_ifunc(i) + aliased(i) + other_name(i) + folded_one(i) + folded_two(i + 1) + special(i, 3);
    results += special(i + 1, 3) + of_struct(&pair) + of_struct(&other) + one_caller(i) + another_caller(i);
  }
  protocol::print("chosen", chosen_tally);
  protocol::print("aliased", aliased_tally);
  protocol::print("re:^folded_", folded_tally);
  protocol::print("special", special_tally);
  protocol::print("of_struct", struct_tally);
  protocol::print("in_parts", part_tally);
  protocol::print("results", results);
}
