// Structs by value: in registers, taken apart, in memory, mixed with floating point; returned in the same ways.
#include <array>

#include "exact.h"

namespace exact {

template <typename Number>
static Number small() {
  return static_cast<Number>(any<int>() / 64);
}

// ---- in integer registers ----

struct Point {
  int x;
  int y;
};
const Case point_case("exact::point", {"n", "p.x", "p.y", "m"}, {"result.x", "result.y"});
EXACT Point point(int n, Point p, int m) {
  return {p.y + n, p.x - m};
}

struct Pair {
  long first;
  int second;
};
const Case pair_case("exact::pair", {"p.first", "p.second", "n"}, {"result.first", "result.second"});
EXACT Pair pair(Pair p, short n) {
  return {p.first ^ n, p.second ^ n};
}

struct Tiny {
  signed char a;
  unsigned char b;
  char c;
};
const Case tiny_case("exact::tiny", {"t.a", "t.b", "t.c", "n"}, {"result.a", "result.b", "result.c"});
EXACT Tiny tiny(Tiny t, long n) {
  return {static_cast<signed char>(t.c + n), t.b, static_cast<char>(t.a)};
}

struct Three {
  int a, b, c;
};
const Case three_case("exact::three", {"n", "t.a", "t.b", "t.c"}, {"result.a", "result.b", "result.c"});
EXACT Three three(long n, Three t) {
  return {static_cast<int>(t.c ^ n), t.a, t.b};
}

// One register is left, the struct needs two: it goes to the stack, and the next integer takes the register.
const Case split_case("exact::split", {"a", "e", "p.first", "p.second", "f", "g"}, {"result"});
EXACT long split(int a, long b, long c, long d, int e, Pair p, int f, int g) {
  return (a + e + f + g) ^ p.first ^ p.second ^ b ^ c ^ d;
}

struct Nothing {};
const Case empty_case("exact::empty", {"a", "b"}, {"result"});
EXACT long empty(Nothing none, int a, Nothing again, long b) {
  kept = sizeof(none) + sizeof(again);
  return a ^ b;
}

static void call_registers() {
  const Point p{small<int>(), small<int>()};
  const auto n = small<int>();
  const auto m = small<int>();
  point_case.call({n, p.x, p.y, m});
  const Point moved = point(n, p, m);
  point_case.returned({moved.x, moved.y});

  const Pair two{any<long>(), any<int>()};
  const auto s = any<short>();
  pair_case.call({two.first, two.second, s});
  const Pair other = pair(two, s);
  pair_case.returned({other.first, other.second});

  const Tiny t{any<signed char>(), any<unsigned char>(), any<char>()};
  const auto l = any<long>();
  tiny_case.call({t.a, t.b, t.c, l});
  const Tiny u = tiny(t, l);
  tiny_case.returned({u.a, u.b, u.c});

  const Three h{any<int>(), any<int>(), any<int>()};
  three_case.call({l, h.a, h.b, h.c});
  const Three i = three(l, h);
  three_case.returned({i.a, i.b, i.c});

  const auto f = small<int>();
  const auto g = small<int>();
  split_case.call({n, m, two.first, two.second, f, g});
  split_case.returned({split(n, 2, 3, 4, m, two, f, g)});

  empty_case.call({n, l});
  empty_case.returned({empty({}, n, {}, l)});
}

// ---- with floating point ----

struct Weighed {
  double weight;
  long count;
};
const Case weighed_case("exact::weighed", {"n", "!w.weight", "w.count", "m"}, {"!result.weight", "result.count"});
EXACT Weighed weighed(int n, Weighed w, int m) {
  return {w.weight * 2, w.count ^ n ^ m};
}

struct Counted {
  long count;
  double weight;
};
const Case counted_case("exact::counted", {"c.count", "!c.weight", "n"}, {"result.count", "!result.weight"});
EXACT Counted counted(Counted c, int n) {
  return {c.count + n, c.weight + 1};
}

struct Vector {
  float x, y;
};
const Case vector_case("exact::vector", {"a", "!v.x", "!v.y", "b"}, {"result"});
EXACT int vector(int a, Vector v, int b) {
  return a + b + static_cast<int>(v.x + v.y);
}

// An integer and a float in one register: that is an integer's.
struct Labelled {
  int label;
  float value;
};
const Case labelled_case("exact::labelled", {"l.label", "?!l.value", "n"}, {"result.label", "?!result.value"});
EXACT Labelled labelled(Labelled l, int n) {
  return {l.label ^ n, l.value + 1};
}

struct Corners {
  float at[4];
};
const Case corners_case("exact::corners", {"a", "b"}, {"result"});
EXACT int corners(int a, Corners c, int b) {
  return a + b + static_cast<int>(c.at[0] + c.at[3]);
}

__extension__ typedef float Four __attribute__((vector_size(16)));
struct Lanes {
  Four lanes;
};
const Case lanes_case("exact::lanes", {"a", "b"}, {"result"});
EXACT int lanes(int a, Lanes l, Four f, int b) {
  return a + b + static_cast<int>(l.lanes[0] + f[1]);
}

static void call_floating() {
  const auto n = small<int>();
  const auto m = small<int>();
  const Weighed w{2.5, any<long>()};
  weighed_case.call({n, w.weight, w.count, m});
  const Weighed x = weighed(n, w, m);
  weighed_case.returned({x.weight, x.count});

  const Counted c{small<long>(), -0.125};
  counted_case.call({c.count, c.weight, n});
  const Counted d = counted(c, n);
  counted_case.returned({d.count, d.weight});

  vector_case.call({n, 1.5, 2.5, m});
  vector_case.returned({vector(n, {1.5, 2.5}, m)});

  const Labelled l{any<int>(), static_cast<float>(n) / 4};
  labelled_case.call({l.label, static_cast<double>(l.value), n});
  const Labelled k = labelled(l, n);
  labelled_case.returned({k.label, static_cast<double>(k.value)});

  corners_case.call({n, m});
  corners_case.returned({corners(n, {{1, 2, 3, 4}}, m)});

  lanes_case.call({n, m});
  lanes_case.returned({lanes(n, {Four{1, 2, 3, 4}}, Four{5, 6, 7, 8}, m)});
}

// ---- in memory ----

struct Large {
  long a;
  int b;
  short c[4];
  char tag[8];
  double ratio;
};
const Case large_case("exact::large", {"n", "l.a", "l.b", "l.c[3]", "@l.tag", "l.ratio", "m"}, {"result"});
EXACT long large(int n, Large l, int m) {
  kept = static_cast<std::uint64_t>(l.tag[0]) + static_cast<std::uint64_t>(l.ratio);
  l.a ^= m;
  l.tag[0] = static_cast<char>(n);
  return l.a ^ l.b ^ l.c[3] ^ l.tag[0];
}

// The place of the result is a hidden first argument.
const Case made_case("exact::made", {"a", "b", "c"}, {"result.a", "result.b", "result.c[2]", "result.tag"});
EXACT Large made(int a, long b, char c) {
  Large l{b, a, {1, 2, static_cast<short>(c), 4}, "made", 1};
  l.tag[3] = static_cast<char>('a' + (b & 7));
  return l;
}

// All six registers and then some, with a result in memory and a struct in between.
const Case passed_case("exact::passed", {"a", "b", "l.a", "l.b", "f", "g", "h"}, {"result.a", "result.b"});
EXACT Large passed(int a, long b, Large l, long c, long d, int f, int g, short h) {
  l.a ^= a + b + c + d + f + g + h;
  l.b ^= h;
  return l;
}

struct __attribute__((packed)) Packed {
  char a;
  long b;
  short c;
};
const Case packed_case("exact::packed", {"p.a", "p.b", "p.c", "n"}, {"result.b", "result.c"});
EXACT Packed packed(Packed p, int n) {
  return {static_cast<char>(n), p.b ^ n, p.c};
}

union Either {
  double real;
  long whole;
  unsigned char bytes[8];
};
const Case either_case("exact::either", {"e.whole", "e.bytes[1]", "n"}, {"result.whole", "result.bytes[7]"});
EXACT Either either(Either e, int n) {
  e.whole ^= n;
  return e;
}

struct Bits {
  unsigned low : 3;
  int middle : 5;
  unsigned long wide : 40;
  bool flag : 1;
  signed char sign : 2;
};
const Case bits_case("exact::bits",
                     {"b.low", "b.middle", "b.wide", "b.flag", "b.sign", "p->low", "p->middle", "p->wide", "p->flag",
                      "p->sign"},
                     {"result.low", "result.middle", "result.wide", "result.flag", "result.sign"});
EXACT Bits bits(Bits b, const Bits* p) {
  Bits made = *p;
  made.low = b.low ^ 5U;
  made.middle = b.middle;
  return made;
}

struct Nested {
  int kind;
  union {
    struct {
      short left, right;
    };
    int both;
  };
  struct Inner {
    unsigned char deep[2][3];
    Point at;
  } inner;
};
using Alias = Nested;
const Case nested_case("exact::nested",
                       {"p->kind", "p->left", "p->right", "p->both", "p->inner.deep[1][2]", "p->inner.at.y",
                        "v.inner.at.x", "v.inner.deep[0][1]", "(*p).inner.at.x"},
                       {"result->kind"});
EXACT const Alias* nested(const Alias* p, Alias v) {
  kept = static_cast<std::uint64_t>(v.both) + static_cast<std::uint64_t>(v.inner.at.x);
  return p;
}

#ifdef _LIBCPP_VERSION
#define WORDS "w.__elems_"
#else
#define WORDS "w._M_elems"
#endif
using Words = std::array<long, 2>;
const Case array_case("exact::array", {WORDS "[0]", WORDS "[1]", "n"}, {"result"});
EXACT long array(Words w, int n) {
  return w[0] ^ w[1] ^ n;
}

static Large any_large() {
  Large l{any<long>(), any<int>(), {1, 2, 3, any<short>()}, "tag", static_cast<double>(small<int>()) / 8};
  l.tag[2] = static_cast<char>('a' + (next() & 15U));
  return l;
}

static void call_memory() {
  const auto n = small<int>();
  const auto m = small<int>();
  const auto s = any<short>();
  const auto b = small<long>();
  const Large l = any_large();
  large_case.call({n, l.a, l.b, l.c[3], l.tag, l.ratio, m});
  large_case.returned({large(n, l, m)});

  const auto c = any<char>();
  made_case.call({n, b, c});
  const Large k = made(n, b, c);
  made_case.returned({k.a, k.b, k.c[2], k.tag});

  passed_case.call({n, b, l.a, l.b, m, n, s});
  const Large q = passed(n, b, l, 3, 4, m, n, s);
  passed_case.returned({q.a, q.b});

  const Packed p{any<char>(), any<long>(), any<short>()};
  packed_case.call({p.a, long{p.b}, short{p.c}, n});
  const Packed r = packed(p, n);
  packed_case.returned({long{r.b}, short{r.c}});
}

static void call_layouts() {
  const auto n = small<int>();
  Either e{};
  e.whole = any<long>();
  either_case.call({e.whole, e.bytes[1], n});
  const Either f = either(e, n);
  either_case.returned({f.whole, f.bytes[7]});

  const auto any_bits = [] {
    Bits bits{};
    bits.low = any<unsigned>() & 7U;
    bits.middle = any<int>() % 16;
    bits.wide = any<unsigned long>() & 0xffffffffffU;
    bits.flag = any<unsigned>() % 2 != 0;
    bits.sign = static_cast<signed char>(any<int>() % 2);
    return bits;
  };
  const Bits b = any_bits();
  const Bits p = any_bits();
  const auto wide = [](const Bits& of) { return static_cast<unsigned long>(of.wide); };
  bits_case.call({unsigned{b.low}, int{b.middle}, wide(b), bool{b.flag}, int{b.sign}, unsigned{p.low}, int{p.middle},
                  wide(p), bool{p.flag}, int{p.sign}});
  const Bits r = bits(b, &p);
  bits_case.returned({unsigned{r.low}, int{r.middle}, wide(r), bool{r.flag}, int{r.sign}});

  Nested v{any<int>(), {}, {{{1, any<unsigned char>(), 3}, {4, 5, any<unsigned char>()}}, {any<int>(), any<int>()}}};
  v.both = any<int>();
  nested_case.call({v.kind, v.left, v.right, v.both, v.inner.deep[1][2], v.inner.at.y, v.inner.at.x, v.inner.deep[0][1],
                    v.inner.at.x});
  nested_case.returned({nested(&v, v)->kind});

  const Words w{any<long>(), any<long>()};
  array_case.call({w[0], w[1], n});
  array_case.returned({array(w, n)});
}

void call_structs() {
  call_registers();
  call_floating();
  call_memory();
  call_layouts();
}

}  // namespace exact
