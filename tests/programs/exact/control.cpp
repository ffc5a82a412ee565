// Functions that compilers clone or trim, that are left by jumps, that call themselves, that move their stack.
#include <cstdarg>
#include <cstring>

#include "exact.h"

namespace exact {

struct Spec {
  int width;
  long depth;
  const char* label;
};

// ---- clones ----

// Called with one `mode` only: a clone that has no such parameter.
static const Case moded_case("exact::moded", {"?mode", "a", "b"}, {"?result"});
TRIMMED static long moded(int mode, long a, short b) {
  kept = static_cast<std::uint64_t>(mode);
  if (mode == 3) return a * b;
  for (int i = 0; i < mode; ++i) kept = kept + static_cast<std::uint64_t>(a ^ b);
  return static_cast<long>(kept);
}
// Reads one member: a clone that is given that member.
static const Case trimmed_case("exact::trimmed", {"?spec->width", "?spec->depth", "n"}, {"?result"});
TRIMMED static long trimmed(const Spec* spec, int n) {
  kept = static_cast<std::uint64_t>(n);
  return spec->width ^ n;
}
// A parameter that nobody reads, and a result that nobody wants.
static const Case unused_case("exact::unused", {"?a", "b", "?c"});
TRIMMED static int unused(int a, long b, int c) {
  kept = static_cast<std::uint64_t>(b);
  return a == c ? 1 : 0;
}
// By value, trimmed to what is read of it.
static const Case scalar_case("exact::scalar", {"?spec.width", "?spec.depth", "?spec.label", "n"}, {"?result"});
TRIMMED static long scalar(Spec spec, int n) {
  kept = static_cast<std::uint64_t>(n) + 1;
  return spec.depth - n;
}

static void call_clones() {
  const auto a = any<long>() / 65536;
  const auto b = any<short>();
  moded_case.call({3, a, b});
  moded_case.returned({moded(3, a, b)});
  const Spec spec{any<int>(), any<long>() / 2, "label"};
  const auto n = any<int>();
  trimmed_case.call({spec.width, spec.depth, n});
  trimmed_case.returned({trimmed(&spec, n)});
  unused_case.call({n, a, 5});
  unused(n, a, 5);
  unused_case.returned();
  scalar_case.call({spec.width, spec.depth, spec.label, n});
  scalar_case.returned({scalar(spec, n)});
}

// ---- jumps and recursion ----

static const Case landed_case("exact::landed", {"b", "a"}, {"result"});
EXACT long landed(long b, int a) {
  kept = kept + 1;
  return b - a;
}
// Left by a jump, where compilers do that.
static const Case jump_case("exact::jump", {"a", "b"}, {"?result"});
EXACT long jump(int a, long b) {
  kept = static_cast<std::uint64_t>(a);
  return landed(b + 1, a);
}

static const Case deep_case("exact::deep", {"n", "sum"}, {"result"});
EXACT long deep(int n, long sum) {
  if (n <= 0) return sum;
  deep_case.call({n - 1, sum + n});
  const long result = deep(n - 1, sum + n);
  deep_case.returned({result});
  kept = static_cast<std::uint64_t>(n);
  return result + n;
}

static void call_jumps() {
  const auto a = any<int>() / 4;
  const auto b = any<long>() / 4;
  jump_case.call({a, b});
  landed_case.call({b + 1, a});
  const long result = jump(a, b);
  landed_case.returned({result});
  jump_case.returned({result});
  const int depth = static_cast<int>(next() % 5);
  deep_case.call({depth, b});
  deep_case.returned({deep(depth, b)});
}

// ---- stacks ----

// A frame that is aligned by hand, so that nothing lies at a known distance from its registers.
static const Case aligned_case("exact::aligned", {"a", "b", "c", "d", "e", "f", "g", "h"}, {"result"});
EXACT int aligned(int a, int b, int c, int d, int e, int f, short g, long h) {
  alignas(64) volatile int space[32];
  space[a & 31] = static_cast<int>(h);
  space[b & 31] = a ^ c ^ d ^ e ^ f ^ g;
  return space[b & 31];
}
static const Case moving_case("exact::moving", {"size", "text", "h"}, {"result"});
EXACT long moving(unsigned size, const char* text, long b, long c, long d, long e, long f, int h) {
  char* space = static_cast<char*>(__builtin_alloca(size % 512 + 16));
  std::strcpy(space, text);
  asm volatile("" : : "r"(space) : "memory");
  kept = static_cast<std::uint64_t>(b + c + d + e + f);
  return space[0] ^ h;
}
static const Case sum_case("exact::sum", {"count", "first"}, {"result"});
EXACT long sum(int count, long first, ...) {
  va_list rest;
  va_start(rest, first);
  for (int i = 0; i < count; ++i) first += va_arg(rest, long);
  va_end(rest);
  return first;
}
// Needs every register there is.
static const Case busy_case("exact::busy", {"a", "b", "c", "d", "e", "f"}, {"result"});
EXACT unsigned long busy(unsigned long a, unsigned long b, unsigned long c, unsigned d, unsigned e, unsigned long f) {
  unsigned long x = a, y = b, z = c, u = d, v = e, w = f, s = 1, t = 2;
  for (unsigned long i = 0; i < (a & 7U); ++i) {
    x = (x ^ y) + s;
    y = (y ^ z) * 3 + t;
    z = (z ^ u) - x;
    u = (u ^ v) * 5;
    v = (v ^ w) + z;
    w = (w ^ x) * 7;
    s += w ^ i;
    t ^= s + v;
    kept = t;
  }
  return x ^ y ^ z ^ u ^ v ^ w ^ s ^ t ^ a ^ b ^ c ^ d ^ e ^ f;
}

static void call_stacks() {
  const auto a = any<int>();
  const auto b = any<int>();
  const auto g = any<short>();
  const auto h = any<long>();
  aligned_case.call({a, b, 3, 4, 5, 6, g, h});
  aligned_case.returned({aligned(a, b, 3, 4, 5, 6, g, h)});
  const auto size = any<unsigned>();
  const char* label = b % 2 == 0 ? "even" : "odd";
  moving_case.call({size, label, b});
  moving_case.returned({moving(size, label, 1, 2, 3, 4, 5, b)});
  sum_case.call({2, h / 4});
  sum_case.returned({sum(2, h / 4, 5L, 6L)});
  const auto x = any<unsigned long>();
  const auto y = any<unsigned long>();
  const auto z = any<unsigned long>();
  const auto u = any<unsigned>();
  const auto v = any<unsigned>();
  busy_case.call({x, y, z, u, v, x ^ 1});
  busy_case.returned({busy(x, y, z, u, v, x ^ 1)});
}

void call_control() {
  call_clones();
  call_jumps();
  call_stacks();
}

}  // namespace exact
