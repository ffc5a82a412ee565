// steps: does its work in steps, so that a test can look in between.  A line on standard input is a step, answered by
// one line of totals, "calls=.. returns=.. throws=..":
//   direct N      calls `risky` N times from one place
//   places N      the same, each call from the next of five places
//   virtual N     calls `Square::area` N times through its base class
//   elsewhere N   the same from another place
// Every seventh call of `risky` throws, and the exception is caught two frames up.  A leap leaves `leaps` by longjmp.
//   leap N        calls `leaps` N times
#include <csetjmp>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "protocol.h"

namespace {

long calls = 0;
long returns = 0;
long throws = 0;
std::jmp_buf start;

}  // namespace

extern "C" PROBED long risky(long i) {
  SAVES_A_REGISTER();
  ++calls;
  if (i % 7 == 6) throw std::runtime_error("the seventh");
  asm volatile("" : "+r"(i));
  return i + 1;
}

extern "C" PROBED long leaps(long i) {
  SAVES_A_REGISTER();
  ++calls;
  if (i % 3 == 2) std::longjmp(start, 1);
  asm volatile("" : "+r"(i));
  return i;
}

class Shape {
 public:
  virtual ~Shape() = default;
  virtual long area(long i) = 0;
};
class Square final : public Shape {
 public:
  PROBED long area(long i) override {
    SAVES_A_REGISTER();
    ++calls;
    return i * i;
  }
};

namespace {

// One of five places that call.
template <int Place>
PROBED long place(long i) {
  SAVES_A_REGISTER();
  long result = risky(i) + Place;
  if (result < 0) std::abort();  // a conditional jump: the kernel need not step it
  ++returns;
  return result;
}

void guarded(long (*from)(long), long i) {
  try {
    from(i);
  } catch (const std::runtime_error&) {
    ++throws;
  }
}

void direct(long count) {
  for (long i = 0; i < count; ++i) guarded(&place<0>, i);
}

void places(long count) {
  constexpr long (*all[])(long) = {&place<0>, &place<1>, &place<2>, &place<3>, &place<4>};
  for (long i = 0; i < count; ++i) guarded(all[i % 5], i);
}

template <int Place>
PROBED void virtually(long count) {
  static Square square;
  Shape* shape = &square;
  asm volatile("" : "+r"(shape));
  for (long i = 0; i < count; ++i) {
    long area = shape->area(i);
    asm volatile("" : "+r"(area));
    ++returns;
  }
}

void leap_once(long i) {
  if (setjmp(start) != 0) {
    ++throws;
    return;
  }
  long result = leaps(i);
  asm volatile("" : "+r"(result));
  ++returns;
}

void leap(long count) {
  for (long i = 0; i < count; ++i) leap_once(i);
}

}  // namespace

int main() {
  std::printf("ready %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  char line[128];
  while (std::fgets(line, sizeof(line), stdin) != nullptr) {
    long count = 0;
    if (std::sscanf(line, "direct %ld", &count) == 1) direct(count);
    if (std::sscanf(line, "places %ld", &count) == 1) places(count);
    if (std::sscanf(line, "virtual %ld", &count) == 1) virtually<0>(count);
    if (std::sscanf(line, "elsewhere %ld", &count) == 1) virtually<1>(count);
    if (std::sscanf(line, "leap %ld", &count) == 1) leap(count);
    std::printf("calls=%ld returns=%ld throws=%ld\n", calls, returns, throws);
    std::fflush(stdout);
  }
}
