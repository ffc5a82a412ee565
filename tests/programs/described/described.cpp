// Functions of every kind of signature.  Each prints the bytes of its arguments as it sees them, and main() those of
// the results: "NAME arguments (a, b) 01000000 ..." and "NAME result 2a000000".  Built in several ways (see
// ../described.cmake).
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#define TOLD [[gnu::noinline]]

namespace {

template <typename T>
void print_bytes(const T& value) {
  unsigned char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  std::printf(" ");
  for (const unsigned char byte : bytes) std::printf("%02x", byte);
}

// `names`: "a, &b", as the arguments are written.
template <typename... T>
TOLD void tell(const char* function, const char* names, const T&... arguments) {
  std::printf("%s arguments (%s)", function, names);
  (print_bytes(arguments), ...);
  std::printf("\n");
}
#define TELL(function, ...) tell(function, #__VA_ARGS__, __VA_ARGS__)

template <typename T>
TOLD void tell_result(const char* name, const T& result) {
  std::printf("%s result", name);
  print_bytes(result);
  std::printf("\n");
}

}  // namespace

enum Colour { RED = 1, GREEN = 200, BLUE = -3 };
enum class Level : std::uint16_t { low = 7, high = 60000 };
struct Pair {
  long first, second;
};
struct Small {
  int a;
  short b;
  short c;
};
struct Mixed {
  double x;
  long n;
};
struct Backwards {
  long n;
  double x;
};
struct Floats {
  float a, b;
  int c, d;
};
struct Large {
  long words[5];
};
struct Three {
  char c[3];
};
struct Empty {};
struct alignas(32) Aligned {
  long words[4];
};
union Either {
  long n;
  double x;
  char text[8];
};
struct Derived : Pair {};
#pragma pack(push, 1)
struct Packed {
  char c;
  long n;
  char d;
};
#pragma pack(pop)
struct Bits {
  unsigned low : 3;
  int middle : 7;
  unsigned long high : 22;
  unsigned other : 5;
  unsigned rest : 27;
};
struct Counted {
  explicit Counted(int n) : count(n) {}
  Counted(const Counted& other) : count(other.count + 1) {}
  ~Counted() { count = -1; }
  long count;
};
struct Node {
  Node* next;
  const char* name;
  struct {
    int inner;
    union {
      int number;
      float real;
    };
  };
  int grid[2][3];
  Bits bits;
};

namespace shop {

int total = 41;
thread_local int in_thread = 1;
constexpr int limit = 12;

class Cart {
 public:
  enum class State { open, paid = 5 };
  enum { most = 99 };
  TOLD explicit Cart(int n) : items_(n) { TELL("shop::Cart::Cart", this, n); }
  TOLD virtual ~Cart() = default;
  TOLD int add(int count, std::string name) {
    TELL("shop::Cart::add", this, count, name);
    return items_ += count + static_cast<int>(name.size());
  }
  TOLD Large copy(int n) const {
    TELL("shop::Cart::copy", this, n);
    return {{n, 1, 2, 3, items_}};
  }
  TOLD static long sum(Pair pair, State state) {
    TELL("shop::Cart::sum", pair, state);
    return pair.first + pair.second + static_cast<long>(state);
  }

 private:
  int items_;
};

TOLD Cart* choose(Cart* cart, const Cart& other, Cart&& third) {
  TELL("shop::choose", cart, &other, &third);
  return cart;
}

}  // namespace shop

TOLD int integers(char c, signed char s, unsigned char u, short h, unsigned short v, int i, unsigned j, long l) {
  TELL("integers", c, s, u, h, v, i, j, l);
  return c + s + u + h + v + i + static_cast<int>(j) + static_cast<int>(l);
}
TOLD bool flags(bool a, Colour colour, Level level, wchar_t wide, char16_t sixteen) {
  TELL("flags", a, colour, level, wide, sixteen);
  return a;
}
TOLD double reals(float f, double d, int after) {
  TELL("reals", f, d, after);
  return f + d;
}
TOLD Pair pairs(Pair a, Pair b, int between, Pair c, int last) {
  TELL("pairs", a, b, between, c, last);
  return {a.first, c.second};
}
TOLD Mixed mixed(Mixed a, Backwards b, Floats c) {
  TELL("mixed", a, b, c);
  return {b.x, a.n + c.c};
}
TOLD Small small(Small a, Three b, Either c, Derived d) {
  TELL("small", a, b, c, d);
  return a;
}
TOLD Large large(Large a, int b, Packed c, int d, Aligned e, int f) {
  TELL("large", a, b, c, d, e, f);
  return a;
}
TOLD Three three(Bits a, int b) {
  TELL("three", a, b);
  return {{'x', 'y', 'z'}};
}
TOLD int empties(Empty, int a, Empty, Pair b) {
  TELL("empties", a, b);
  return a;
}
TOLD Counted counted(Counted a, int b) {
  TELL("counted", a, b);
  return Counted(b);
}
TOLD __int128 wide(int a, __int128 b, int c, int d, int e, __int128 f, int g) {
  TELL("wide", a, b, c, d, e, f, g);
  return b;
}
TOLD long tenths(long double x, int a, _Complex double z, int b) {
  TELL("tenths", a, b);
  return static_cast<long>(x) + a + b + static_cast<long>(__real__ z);
}
TOLD std::string strings(std::string a, const std::string& b, std::string_view c, const char* d) {
  TELL("strings", a, &b, c, d);
  return a + b;
}
TOLD std::unique_ptr<int> owners(std::unique_ptr<int> a, std::shared_ptr<long> b, std::optional<int> c,
                                 std::vector<int> d, std::optional<std::string> e) {
  TELL("owners", a, b, d);
  return std::make_unique<int>(*a + static_cast<int>(*b) + *c + static_cast<int>(d.size() + e->size()));
}
TOLD int members(long Pair::*) {
  return 1;
}
TOLD int pointers(int (*function)(int, char), const Node* node, void* anything, int (&array)[3]) {
  TELL("pointers", function, node, anything, &array);
  return 3;
}
TOLD int variadic(int a, ...) {
  TELL("variadic", a);
  return a;
}
TOLD int changes(int a, int b) {
  a = b;  // the first statement overwrites an argument
  TELL("changes.after", a);
  return a + b;
}
template <typename T>
TOLD T generic(T a, T b) {
  TELL("generic", a, b);
  return a;
}
TOLD static int constant(int a, int b) {
  asm volatile("");
  return a * 3 + b;
}
TOLD int locals(int n, const char* text) {
  int sum = n;
  for (int i = 0; i < n; ++i) {
    long square = i;
    square *= i;
    asm volatile("" : "+m"(square));
    sum += static_cast<int>(square);
  }
  asm volatile("" : "+m"(sum));
  return sum + text[0];
}
int calls_back(int a, char) {
  return a;
}

int main(int argc, char**) {
  std::setvbuf(stdout, nullptr, _IOFBF, 1U << 16U);
  tell_result("integers", integers('a', -1, 200, -300, 60000, -70000, 4000000000U, -5000000000L));
  tell_result("flags", flags(true, BLUE, Level::high, L'\u20ac', u'\u20ac'));
  reals(1.5F, 2.5, 7);
  tell_result("pairs", pairs({1, 2}, {3, 4}, 5, {6, 7}, 8));
  mixed({1.5, 2}, {3, 4.5}, {1, 2, 3, 4});
  tell_result("small", small({1, 2, 3}, {{'a', 'b', 'c'}}, {.n = 77}, {{8, 9}}));
  tell_result("large", large({{1, 2, 3, 4, 5}}, 6, {'c', 7, 'd'}, 8, {{9, 10, 11, 12}}, 13));
  tell_result("three", three({1, -2, 3, 4, 5}, 6));
  tell_result("empties", empties({}, 1, {}, {2, 3}));
  tell_result("counted", counted(Counted(5), 6));
  tell_result("wide", wide(1, -2, 3, 4, 5, 6, 7));
  tell_result("tenths", tenths(1.25L, 1, 2.0, 3));
  const std::string text = "a longer text than fits";
  strings("short", text, "view", "plain");
  owners(std::make_unique<int>(1), std::make_shared<long>(2), 3, {4, 5, 6}, "seven");
  members(&Pair::second);
  Node node{nullptr, "node", {1, {2}}, {{1, 2, 3}, {4, 5, 6}}, {}};
  int array[3] = {1, 2, 3};
  tell_result("pointers", pointers(calls_back, &node, &array, array));
  tell_result("variadic", variadic(4, 1.5, "x"));
  tell_result("changes", changes(1, 2));
  tell_result("generic<long>", generic<long>(5, 6));
  constant(argc, 7);
  constant(argc + 1, 7);
  tell_result("locals", locals(3, "text"));
  shop::Cart cart(3);
  tell_result("shop::Cart::add", cart.add(2, "name"));
  tell_result("shop::Cart::copy", cart.copy(9));
  tell_result("shop::Cart::sum", shop::Cart::sum({1, 2}, shop::Cart::State::paid));
  tell_result("shop::choose", shop::choose(&cart, cart, std::move(cart)));
  return shop::total + shop::in_thread + shop::limit + shop::Cart::most == 0;
}
