// bench_target: what ./dev bench measures on.  A line on standard input is a job:
//   run N WHICH    calls `hot`, or the function named, N times; prints the nanoseconds of one call
//   pace RATE MS   calls it RATE times a second for MS milliseconds, in bursts of a millisecond; prints the calls made
#include <cstdlib>
#include <cstring>
#include <string>
#include <time.h>
#include <utility>

#include "protocol.h"

extern "C" PROBED long hot(long i, long k) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(i));
  return i + k;
}

// Entries as compilers write them, whatever this one would write.
asm(R"(
  .text
  .macro function name
  .globl \name
  .type \name, @function
  .p2align 4
  \name:
  .cfi_startproc
  .endm
  .macro function_end name
  .cfi_endproc
  .size \name, . - \name
  .endm

  function hot_endbr64
    endbr64
    push %rbx
    .cfi_adjust_cfa_offset 8
    lea (%rdi, %rsi), %rax
    pop %rbx
    .cfi_adjust_cfa_offset -8
    ret
  function_end hot_endbr64

  function hot_test
    test %rdi, %rdi
    js 1f
    lea (%rdi, %rsi), %rax
    ret
  1: xor %eax, %eax
    ret
  function_end hot_test

  function hot_sub
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    call hot_nothing
    lea (%rdi, %rsi), %rax
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    ret
  function_end hot_sub

  function hot_nothing
    ret
  function_end hot_nothing
)");
extern "C" long hot_endbr64(long i, long k);
extern "C" long hot_test(long i, long k);
extern "C" long hot_sub(long i, long k);

struct Refusal {};

// May throw, so that nobody may touch its return address.
extern "C" PROBED long risky(long i, long k) {
  SAVES_A_REGISTER();
  if (i < 0) throw Refusal();
  return i + k;
}
// The same for each number of places that call it.
extern "C" PROBED long risky_five(long i, long k) {
  SAVES_A_REGISTER();
  if (i < 0) throw Refusal();
  return i + k + 5;
}
extern "C" PROBED long risky_hundred(long i, long k) {
  SAVES_A_REGISTER();
  if (i < 0) throw Refusal();
  return i + k + 100;
}
// `endbr64; push`, and a jump to what may throw.
asm(R"(
  function risky_endbr64
    endbr64
    push %rbx
    .cfi_adjust_cfa_offset 8
    mov $7, %esi
    call risky
    pop %rbx
    .cfi_adjust_cfa_offset -8
    ret
  function_end risky_endbr64
)");
extern "C" long risky_endbr64(long i, long k);

// What is asked for by its names.
struct Uri {
  unsigned long len = 0;
  const char* text = "";
};
struct Request {
  long number = 0;
  Uri uri;
  std::string name = "sixteen letters.";
};
extern "C" PROBED long serve(const Request* req, long k) {
  SAVES_A_REGISTER();
  return req->number + k;
}

class Shape {
 public:
  virtual ~Shape() = default;
  virtual long area(long i, long k) = 0;
};
class Square final : public Shape {
 public:
  PROBED long area(long i, long k) override {
    SAVES_A_REGISTER();
    if (i < 0) throw Refusal();
    return i + k + 1;
  }
};

namespace {

long now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}

long call(long from, long to) {
  long sum = 0;
  for (long i = from; i < to; ++i) sum += hot(i, 7);
  asm volatile("" : "+r"(sum));
  return to - from;
}

using Called = long (*)(long, long);

// One place that calls `called`, and looks at what it returned, as most do.
template <int Place, Called called>
PROBED long place(long i) {
  long sum = called(i, 7);
  if (sum == -Place - 1) std::abort();
  asm volatile("" : "+r"(sum));
  return sum;
}

template <Called called, int... Places>
void call_from(long count, std::integer_sequence<int, Places...> /*places*/) {
  using Place = long (*)(long);
  static constexpr Place places[] = {&place<Places, called>...};
  for (long i = 0; i < count; ++i) places[static_cast<std::size_t>(i) % sizeof...(Places)](i);
}

template <Called called>
void call_once(long count) {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += called(i, 7);
  asm volatile("" : "+r"(sum));
}

void call_virtually(long count) {
  static Square square;
  Shape* shape = &square;
  asm volatile("" : "+r"(shape));
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += shape->area(i, 7);
  asm volatile("" : "+r"(sum));
}

void call_serve(long count) {
  static Request request;
  Request* req = &request;
  asm volatile("" : "+r"(req));
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += serve(req, 7);
  asm volatile("" : "+r"(sum));
}

struct Job {
  const char* name;
  void (*calls)(long count);
};
constexpr Job jobs[] = {
    {"hot", [](long count) { call(0, count); }},
    {"hot_endbr64", &call_once<&hot_endbr64>},
    {"hot_test", &call_once<&hot_test>},
    {"hot_sub", &call_once<&hot_sub>},
    {"risky", &call_once<&risky>},
    {"risky_five", [](long count) { call_from<&risky_five>(count, std::make_integer_sequence<int, 5>()); }},
    {"risky_hundred", [](long count) { call_from<&risky_hundred>(count, std::make_integer_sequence<int, 100>()); }},
    {"risky_endbr64", &call_once<&risky_endbr64>},
    {"Square::area", &call_virtually},
    {"serve", &call_serve},
};

void run(long count, const char* which) {
  for (const Job& job : jobs) {
    if (std::strcmp(job.name, which) != 0) continue;
    job.calls(count / 20);
    const long start = now_ns();
    job.calls(count);
    std::printf("%.2f\n", static_cast<double>(now_ns() - start) / static_cast<double>(count));
  }
}

void pace(long rate, long milliseconds) {
  const long start = now_ns();
  long made = 0;
  for (long tick = 1; tick <= milliseconds; ++tick) {
    made += call(made, rate * tick / 1000);
    const long next = start + tick * 1'000'000;
    const timespec until{.tv_sec = next / 1'000'000'000, .tv_nsec = next % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  std::printf("%ld\n", made);
}

}  // namespace

int main() {
  std::printf("ready %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);
  char line[128];
  while (std::fgets(line, sizeof(line), stdin) != nullptr) {
    long one = 0;
    long two = 0;
    char which[64] = "hot";
    if (std::sscanf(line, "run %ld %63s", &one, which) >= 1) run(one, which);
    if (std::sscanf(line, "pace %ld %ld", &one, &two) == 2) pace(one, two);
    std::fflush(stdout);
  }
}
