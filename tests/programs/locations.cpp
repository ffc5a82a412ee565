// locations N: passes the marker shop:level at eight locations, whose first argument has another place, size and sign
// at each and whose second is the location's number, N times each; with N = 0 until a second line arrives.  shop:rate
// has two locations, of which one has a floating-point number in an xmm register.  shop:wide is signed at one location
// and unsigned, and at every tenth pass larger than any signed number, at the other.
// The parameter `level` is the first of one function and the third of another.
#include <atomic>
#include <string>
#include <thread>

#include "marker.h"
#include "protocol.h"

namespace {

constexpr int locations = 8;

struct Passed {
  long count = 0;
  long sum = 0;
};
Passed passed[locations];
long rates = 0;
long rate_sum = 0;
long wide = 0;
long wide_fits = 0;
long wide_sum = 0;
long function_levels = 0;

int in_memory = 0;
struct {
  long before;
  short value;
} record = {0, 0};

void note(int location, long value) {
  ++passed[location].count;
  passed[location].sum += value;
}

PROBED void in_a_register(long i) {
  const long value = i - 100;
  note(0, value);
  MARKER("level", "0", "-8@%0 -4@$0", "r"(value));
}

PROBED void in_static_memory(long i) {
  in_memory = static_cast<int>(-3 * i);
  note(1, in_memory);
  MARKER("level", "0", "-4@%0 -4@$1", "m"(in_memory));
}

PROBED void constant(long) {
  note(2, 5);
  MARKER("level", "0", "-4@%0 -4@$2", "n"(5));
}

PROBED void in_a_byte(long i) {
  const auto value = static_cast<unsigned char>(i + 200);
  note(3, value);
  MARKER("level", "0", "1@%0 -4@$3", "q"(value));
}

PROBED void behind_a_pointer(long i) {
  auto* where = &record;
  asm volatile("" : "+r"(where));
  where->value = static_cast<short>(-i);
  note(4, where->value);
  MARKER("level", "0", "-2@%0 -4@$4", "m"(where->value));
}

PROBED void unsigned_and_wide(long i) {
  const unsigned long value = (1UL << 32U) + static_cast<unsigned long>(i);
  note(5, static_cast<long>(value));
  MARKER("level", "0", "8@%0 -4@$5", "r"(value));
}

// Two locations of one line, with what each caller makes of it.
__attribute__((always_inline)) inline void inlined(unsigned value, int location) {
  note(location, value);
  MARKER("level", "0", "4@%0 -4@%1", "nor"(value), "nor"(location));
}

PROBED void inlined_with_a_variable(long i) {
  inlined(static_cast<unsigned>(i * 7), 6);
}

PROBED void inlined_with_a_constant(long) {
  inlined(4'000'000'000U, 7);
}

PROBED void rate_in_a_register(long i) {
  ++rates;
  rate_sum += i;
  MARKER("rate", "0", "-8@%0", "r"(i));
}

PROBED void rate_in_xmm(long i) {
  const auto value = static_cast<double>(i);
  MARKER("rate", "0", "8f@%0", "x"(value));
}

PROBED void wide_signed(long i) {
  ++wide;
  ++wide_fits;
  wide_sum -= i;
  MARKER("wide", "0", "-8@%0", "r"(-i));
}

PROBED void wide_unsigned(long i) {
  const unsigned long value = i % 10 == 0 ? ~0UL - static_cast<unsigned long>(i) : static_cast<unsigned long>(i);
  ++wide;
  if (i % 10 != 0) {
    ++wide_fits;
    wide_sum += i;
  }
  MARKER("wide", "0", "8@%0", "r"(value));
}

PROBED void first_is_level(long level, long other) {
  SAVES_A_REGISTER();
  asm volatile("" : : "r"(level), "r"(other));
}

PROBED void third_is_level(long one, int other, short level) {
  SAVES_A_REGISTER();
  asm volatile("" : : "r"(one), "r"(other), "r"(level));
}

void pass_all(long i) {
  first_is_level(-i, 1);
  third_is_level(1, 2, static_cast<short>(i % 100));
  function_levels += i % 100 - i;
  in_a_register(i);
  in_static_memory(i);
  constant(i);
  in_a_byte(i);
  behind_a_pointer(i);
  unsigned_and_wide(i);
  inlined_with_a_variable(i);
  inlined_with_a_constant(i);
  rate_in_a_register(i);
  rate_in_xmm(i);
  wide_signed(i);
  wide_unsigned(i);
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  std::atomic<bool> stop = false;
  std::thread worker([&] {
    for (long i = 0; rounds == 0 ? !stop.load(std::memory_order_relaxed) : i < rounds; ++i) pass_all(i);
  });
  if (rounds == 0) protocol::wait_for_line();
  stop = true;
  worker.join();
  for (int location = 0; location < locations; ++location) {
    protocol::print(("count" + std::to_string(location)).c_str(), passed[location].count);
    protocol::print(("sum" + std::to_string(location)).c_str(), passed[location].sum);
  }
  protocol::print("rates", rates);
  protocol::print("rate_sum", rate_sum);
  protocol::print("wide", wide);
  protocol::print("wide_fits", wide_fits);
  protocol::print("wide_sum", wide_sum);
  protocol::print("function_levels", function_levels);
}
