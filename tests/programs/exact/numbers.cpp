// Integers, characters, enumerations, floating point, pointers, references, globals.
#include "exact.h"

namespace exact {

enum class Color : std::uint8_t { red, green = 7, blue = 200 };
enum class Level : std::int64_t { low = -5, none = 0, high = 1LL << 40 };
enum Shade { DARK, LIGHT = 4, BRIGHT = -1 };

static Shown shown(Color color) {
  switch (color) {
    case Color::red:
      return "red";
    case Color::green:
      return "green";
    case Color::blue:
      return "blue";
  }
  return static_cast<unsigned>(color);
}
static Shown shown(Level level) {
  switch (level) {
    case Level::low:
      return "low";
    case Level::none:
      return "none";
    case Level::high:
      return "high";
  }
  return static_cast<long>(level);
}
static Shown shown(Shade shade) {
  switch (shade) {
    case DARK:
      return "DARK";
    case LIGHT:
      return "LIGHT";
    case BRIGHT:
      return "BRIGHT";
  }
  return static_cast<int>(shade);
}

static Color any_color() {
  static constexpr Color all[] = {Color::red, Color::green, Color::blue, static_cast<Color>(9)};
  return all[next() % 4];
}
static Level any_level() {
  static constexpr Level all[] = {Level::low, Level::none, Level::high};
  return all[next() % 3];
}
static Shade any_shade() {
  static constexpr Shade all[] = {DARK, LIGHT, BRIGHT};
  return all[next() % 3];
}

// ---- integers ----

const Case widths_case("exact::widths", {"a", "b", "c", "d", "e", "f"}, {"result"});
EXACT std::int8_t widths(std::int8_t a, std::uint8_t b, std::int16_t c, std::uint16_t d, std::int32_t e,
                         std::uint32_t f) {
  kept = static_cast<std::uint64_t>(a + b + c) + d + static_cast<std::uint32_t>(e) + f;
  return static_cast<std::int8_t>(kept);
}
static void call_widths() {
  const auto a = any<std::int8_t>();
  const auto b = any<std::uint8_t>();
  const auto c = any<std::int16_t>();
  const auto d = any<std::uint16_t>();
  const auto e = any<std::int32_t>();
  const auto f = any<std::uint32_t>();
  widths_case.call({a, b, c, d, e, f});
  widths_case.returned({widths(a, b, c, d, e, f)});
}

const Case words_case("exact::words", {"a", "b", "c", "d"}, {"result"});
EXACT std::uint64_t words(std::int64_t a, std::uint64_t b, long c, unsigned long long d) {
  return static_cast<std::uint64_t>(a) ^ b ^ static_cast<std::uint64_t>(c) ^ (d << 1U);
}
static void call_words() {
  const auto a = any<std::int64_t>();
  const auto b = any<std::uint64_t>();
  const auto c = any<long>();
  const auto d = any<unsigned long long>();
  words_case.call({a, b, c, d});
  words_case.returned({words(a, b, c, d)});
}

// With other bits above those of the parameters, as the ABI allows.
const Case dirty_case("exact_dirty", {"a", "b", "c"}, {"result"});
extern "C" EXACT std::uint16_t exact_dirty(int a, unsigned b, bool c) {
  kept = static_cast<std::uint64_t>(a) + b;
  return static_cast<std::uint16_t>(c ? kept : kept + 3);
}
static void call_dirty() {
  const auto a = any<int>();
  const auto b = any<unsigned>();
  const auto c = any<bool>();
  const std::uint64_t dirt = 0xdeadbeef00000000;
  dirty_case.call({a, b, c});
  std::uint64_t rdi = dirt | static_cast<unsigned>(a);
  std::uint64_t rsi = dirt | b;
  std::uint64_t rdx = dirt | std::uint64_t{c};
  std::uint64_t result = 0;
  asm volatile(
      "mov %%rsp, %%rbx\n\tsub $256, %%rsp\n\tand $-16, %%rsp\n\t"
      "call *%[dirty]\n\tmov %%rbx, %%rsp"
      : "+D"(rdi), "+S"(rsi), "+d"(rdx), "=a"(result)
      : [dirty] "r"(&exact_dirty)
      : "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
  dirty_case.returned({static_cast<std::uint16_t>(result)});
}

const Case characters_case("exact::characters", {"a", "b", "c", "d", "e", "f"}, {"result"});
EXACT char characters(char a, signed char b, unsigned char c, char16_t d, char32_t e, wchar_t f) {
  kept = static_cast<std::uint64_t>(a + b + c + d) + e + static_cast<std::uint64_t>(f);
  return static_cast<char>(kept);
}
static void call_characters() {
  const auto a = any<char>();
  const auto b = any<signed char>();
  const auto c = any<unsigned char>();
  const auto d = any<char16_t>();
  const auto e = any<char32_t>();
  const auto f = any<wchar_t>();
  characters_case.call({a, b, c, d, e, f});
  characters_case.returned({characters(a, b, c, d, e, f)});
}

const Case booleans_case("exact::booleans", {"a", "b", "*c", "a != b"}, {"result"});
EXACT bool booleans(bool a, bool b, const bool* c) {
  kept = a ? 1 : 2;
  return a ? b : *c;
}
static void call_booleans() {
  const bool a = any<unsigned>() % 2 != 0;
  const bool b = any<unsigned>() % 3 != 0;
  const bool c = any<unsigned>() % 5 != 0;
  booleans_case.call({a, b, c, a != b});
  booleans_case.returned({booleans(a, b, &c)});
}

// On the stack from the seventh on.
const Case many_case("exact::many", {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}, {"result"});
EXACT long many(int a, long b, short c, char d, unsigned e, long f, signed char g, unsigned short h, int i, long j,
                bool k) {
  kept = static_cast<std::uint64_t>(a + b + c + d + e + f + g + h + i);
  return k ? j : static_cast<long>(kept);
}
static void call_many() {
  const auto a = any<int>();
  const auto b = any<long>() / 64;
  const auto c = any<short>();
  const auto d = any<char>();
  const auto e = any<unsigned>();
  const auto f = any<long>() / 64;
  const auto g = any<signed char>();
  const auto h = any<unsigned short>();
  const auto i = any<int>();
  const auto j = any<long>();
  const auto k = any<int>() > 0;
  many_case.call({a, b, c, d, e, f, g, h, i, j, k});
  many_case.returned({many(a, b, c, d, e, f, g, h, i, j, k)});
}

// ---- floating point among them ----

const Case mixed_case("exact::mixed", {"a", "!b", "c", "!d", "e"}, {"result"});
EXACT int mixed(int a, double b, long c, float d, short e) {
  kept = static_cast<std::uint64_t>(c);
  return a + e + static_cast<int>(b + static_cast<double>(d));
}
static void call_mixed() {
  const auto a = any<int>() / 4;
  const auto c = any<long>();
  const auto e = any<short>();
  mixed_case.call({a, 1.5, c, 2.25, e});
  mixed_case.returned({mixed(a, 1.5, c, 2.25F, e)});
}

// Eight go to registers, the ninth to the stack, between integers that do not fit either.
const Case crowded_case("exact::crowded", {"!a", "!h", "?i", "n0", "n5", "n6", "n7"}, {"result"});
EXACT long crowded(double a, double b, double c, double d, double e, double f, double g, double h, int n0, int n1,
                   int n2, int n3, int n4, int n5, int n6, double i, long n7) {
  kept = static_cast<std::uint64_t>(a + b + c + d + e + f + g + h + i);
  return n0 + n1 + n2 + n3 + n4 + n5 + n6 + n7;
}
static void call_crowded() {
  const auto n0 = any<int>() / 64;
  const auto n5 = any<int>() / 64;
  const auto n6 = any<int>() / 64;
  const auto n7 = any<long>() / 64;
  const double i = static_cast<double>(n0) / 4;
  crowded_case.call({1.0, 8.0, i, n0, n5, n6, n7});
  crowded_case.returned({crowded(1, 2, 3, 4, 5, 6, 7, 8, n0, 1, 2, 3, 4, n5, n6, i, n7)});
}

const Case halved_case("exact::halved", {"a"}, {"!result"});
EXACT double halved(long a) {
  kept = static_cast<std::uint64_t>(a);
  return static_cast<double>(a) / 2;
}
static void call_halved() {
  const auto a = any<long>();
  halved_case.call({a});
  halved_case.returned({halved(a)});
}

// In memory, as long double is; what follows is not shifted by it.
const Case longest_case("exact::longest", {"a", "b"}, {"result"});
EXACT long longest(int a, long double x, long b) {
  kept = static_cast<std::uint64_t>(x);
  return a + b;
}
static void call_longest() {
  const auto a = any<int>();
  const auto b = any<long>() / 64;
  longest_case.call({a, b});
  longest_case.returned({longest(a, 12.5L, b)});
}

// Two registers; with one left, the stack, and the next takes that one.
__extension__ using Wide = __int128;
const Case wide_case("exact::wide", {"a", "b"}, {"result"});
EXACT int wide(int a, Wide w, int b) {
  kept = static_cast<std::uint64_t>(w >> 3U);
  return a ^ b;
}
const Case wide_stack_case("exact::wide_stack", {"a", "e", "?f", "?g"}, {"result"});
EXACT long wide_stack(long a, long b, long c, long d, long e, Wide w, long f, long g) {
  kept = static_cast<std::uint64_t>(w >> 3U) + static_cast<std::uint64_t>(b + c + d);
  return a ^ e ^ f ^ g;
}
static void call_wide() {
  const auto a = any<int>();
  const auto b = any<int>();
  const Wide w = static_cast<Wide>(any<long>()) * 1000;
  wide_case.call({a, b});
  wide_case.returned({wide(a, w, b)});
  const auto e = any<long>();
  const auto f = any<long>();
  const auto g = any<long>();
  wide_stack_case.call({a, e, f, g});
  wide_stack_case.returned({wide_stack(a, 2, 3, 4, e, w, f, g)});
}

// ---- enumerations ----

const Case enums_case("exact::enums", {"color", "level", "shade", "color == Color::green", "shade == LIGHT"},
                      {"result"});
EXACT Color enums(Color color, Level level, Shade shade) {
  kept = static_cast<std::uint64_t>(level) + static_cast<std::uint64_t>(shade);
  return kept % 2 == 0 ? color : Color::blue;
}
const Case leveled_case("exact::leveled", {"p->shade", "p->color", "*l"}, {"result"});
struct Painted {
  Shade shade;
  Color color;
};
EXACT Level leveled(const Painted* p, const Level* l) {
  kept = static_cast<std::uint64_t>(p->shade);
  return p->color == Color::red ? Level::none : *l;
}
static void call_enums() {
  const Color color = any_color();
  const Level level = any_level();
  const Shade shade = any_shade();
  enums_case.call({shown(color), shown(level), shown(shade), color == Color::green, shade == LIGHT});
  enums_case.returned({shown(enums(color, level, shade))});
  const Painted painted{any_shade(), any_color()};
  leveled_case.call({shown(painted.shade), shown(painted.color), shown(level)});
  leveled_case.returned({shown(leveled(&painted, &level))});
}

// ---- pointers, arrays, references ----

static int doubled(int n) {
  return n * 2;
}
const Case pointers_case("exact::pointers",
                         {"p", "*p", "p[2]", "@**q", "(*row)[1]", "s", "str(s, 8)", "v", "f", "grid[1][2]"},
                         {"*p", "result"});
EXACT int* pointers(int* p, int** q, const int (*row)[3], const char* s, void* v, int (*f)(int),
                    const short (*grid)[3]) {
  kept = static_cast<std::uint64_t>(s[0]) + reinterpret_cast<std::uintptr_t>(v) + static_cast<std::uint64_t>(f(**q));
  *q = p + 1 + (*row)[0] % 2 + grid[0][0] % 2;
  return *q;
}
static void call_pointers() {
  int numbers[4] = {any<int>(), any<int>(), any<int>(), any<int>()};
  int* second = &numbers[1];
  const int row[3] = {any<int>(), any<int>(), 3};
  const short grid[2][3] = {{1, 2, 3}, {4, 5, any<short>()}};
  static const char* const texts[] = {"", "short", "of some length, but not beyond what a record keeps"};
  const char* s = texts[next() % 3];
  pointers_case.call({numbers, numbers[0], numbers[2], *second, row[1], s, std::string(s).substr(0, 8), &second,
                      reinterpret_cast<void*>(&doubled), grid[1][2]});
  const int* result = pointers(numbers, &second, &row, s, &second, &doubled, grid);
  pointers_case.returned({numbers[0], result});
}

struct Spot {
  int x;
  long y;
};
const Case references_case("exact::references", {"@a", "b", "spot.x", "spot.y", "color", "&b"}, {"a", "result"});
EXACT int& references(int& a, const long& b, const Spot& spot, Color&& color) {
  kept = static_cast<std::uint64_t>(b) + static_cast<std::uint64_t>(spot.y) + static_cast<std::uint64_t>(color);
  a += 1;
  return a;
}
static void call_references() {
  int a = any<int>() / 2;
  const auto b = any<long>();
  const Spot spot{any<int>(), any<long>()};
  Color color = any_color();
  references_case.call({a, b, spot.x, spot.y, shown(color), &b});
  const int& result = references(a, b, spot, static_cast<Color&&>(color));
  references_case.returned({a, result});
}

// Overwritten before the return: shown as they were at the call.
const Case overwritten_case("exact::overwritten", {"a", "b", "c", "?s"}, {"result"});
EXACT int overwritten(int a, long b, unsigned char c, const char* s) {
  volatile int* pa = &a;
  volatile long* pb = &b;
  *pa = a * 3;
  *pb = *pa + 1;
  c = static_cast<unsigned char>(c + 1);
  s = c % 2 == 0 ? "even" : "odd";
  kept = static_cast<std::uint64_t>(*s);
  return static_cast<int>(*pa ^ *pb ^ c);
}
static void call_overwritten() {
  const auto a = any<int>() / 4;
  const auto b = any<long>();
  const auto c = any<unsigned char>();
  overwritten_case.call({a, b, c, "given"});
  overwritten_case.returned({overwritten(a, b, c, "given")});
}

// ---- globals ----

long total = 5;
namespace inner {
int level = 3;
Spot spots[3] = {{1, 2}, {3, 4}, {5, 6}};
const char* word = "first";
}  // namespace inner
static short hidden = -7;

const Case globals_case("exact::globals",
                        {"n", "@exact::total", "@exact::inner::level", "exact::inner::spots[1].y", "exact::inner::word",
                         "@exact::hidden", "@::exact::total + n"},
                        {"exact::total", "exact::hidden", "result"});
EXACT long globals(int n) {
  total += n;
  inner::level = n;
  hidden = static_cast<short>(hidden + 1);
  return total + hidden;
}
static void call_globals() {
  const auto n = any<int>() / 2;
  inner::spots[1].y = any<long>();
  inner::word = n % 2 == 0 ? "first" : "second";
  globals_case.call({n, total, inner::level, inner::spots[1].y, inner::word, hidden, total + n});
  const long result = globals(n);
  globals_case.returned({total, hidden, result});
}

void call_numbers() {
  call_widths();
  call_words();
  call_dirty();
  call_characters();
  call_booleans();
  call_many();
  call_mixed();
  call_crowded();
  call_halved();
  call_longest();
  call_wide();
  call_enums();
  call_pointers();
  call_references();
  call_overwritten();
  call_globals();
}

}  // namespace exact
