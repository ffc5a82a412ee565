// Differential: every operator, width and sign, executed as BPF and computed by the C++ compiler.
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <type_traits>

#include "probes.h"

namespace diagnose::compile {
namespace {

// Interesting numbers: the edges of every width, small ones, and noise.
class Operands {
 public:
  std::uint64_t next() {
    const std::uint64_t noise = random_();
    switch (noise % 5) {
      case 0:
        return std::uint64_t{0} - 3 + (noise >> 8U) % 7;
      case 1:
        return (std::uint64_t{1} << ((noise >> 8U) % 64)) - 2 + (noise >> 16U) % 4;
      case 2:
        return (noise >> 8U) % 200;
      case 3:
        return random_() >> ((noise >> 8U) % 64);
      default:
        return random_();
    }
  }

 private:
  std::mt19937_64 random_{20261120};
};

struct Outcome {
  bool is_null = false;
  std::uint64_t bits = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
std::ostream& operator<<(std::ostream& to, const Outcome& outcome) {
  return outcome.is_null ? to << "null" : to << static_cast<std::int64_t>(outcome.bits);
}

class Compiled {
 public:
  explicit Compiled(const std::string& expression) : probe_(evaluate(probe_of({gauge(expression)}))) {
    EXPECT_EQ(faults_text(probe_), "") << expression;
  }
  Outcome run(std::uint64_t a, std::uint64_t b, std::uint64_t c = 0) {
    stopped_.arguments(a, b, c);
    const std::uint64_t answer = stopped_.run(probe_.probe.instruments[0].evaluate);
    EXPECT_EQ(stopped_.error, "");
    EXPECT_LE(stopped_.stack_used, 200U);
    return answer == 0 ? Outcome{true, 0} : Outcome{false, static_cast<std::uint64_t>(stopped_.value())};
  }

 private:
  Evaluated probe_;
  Stopped stopped_;
};

// C++ with two's complement wrapping and without traps.
template <typename T>
Outcome number(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return {false, value ? 1U : 0U};
  } else {
    return {false, static_cast<std::uint64_t>(static_cast<std::int64_t>(value))};
  }
}

template <typename A, typename B>
Outcome computed(const std::string& op, A a, B b) {
  using C = decltype(a + b);
  using U = std::make_unsigned_t<C>;
  const C l = static_cast<C>(a);
  const C r = static_cast<C>(b);
  const U ul = static_cast<U>(l);
  const U ur = static_cast<U>(r);
  const bool overflows = std::is_signed_v<C> && r == static_cast<C>(-1);
  if (op == "+") return number(static_cast<C>(ul + ur));
  if (op == "-") return number(static_cast<C>(ul - ur));
  if (op == "*") return number(static_cast<C>(ul * ur));
  if (op == "&") return number(static_cast<C>(ul & ur));
  if (op == "|") return number(static_cast<C>(ul | ur));
  if (op == "^") return number(static_cast<C>(ul ^ ur));
  if ((op == "/" || op == "%") && r == 0) return {true, 0};
  if (op == "/") return number(overflows ? static_cast<C>(U{0} - ul) : static_cast<C>(l / r));
  if (op == "%") return number(overflows ? C{0} : static_cast<C>(l % r));
  if (op == "==") return number(l == r);
  if (op == "!=") return number(l != r);
  if (op == "<") return number(l < r);
  if (op == "<=") return number(l <= r);
  if (op == ">") return number(l > r);
  if (op == ">=") return number(l >= r);
  if (op == "&&") return number(a != 0 && b != 0);
  if (op == "||") return number(a != 0 || b != 0);
  using P = decltype(+a);
  const unsigned count = static_cast<unsigned>(b) & (8U * sizeof(P) - 1U);
  if (op == "<<") return number(static_cast<P>(static_cast<std::make_unsigned_t<P>>(a) << count));
  return number(static_cast<P>(static_cast<P>(a) >> count));
}

template <typename C>
Outcome extreme(bool least, C l, C r) {
  return number(least == (l < r) ? l : r);
}

// Where signs and widths end; each is met with each, INT_MIN / -1 among them.
const std::vector<std::uint64_t> edges = {0,
                                          1,
                                          ~std::uint64_t{0},
                                          0x7f,
                                          0x80,
                                          0x7fff,
                                          0x8000,
                                          0x7fffffff,
                                          0x80000000,
                                          0x7fffffffffffffff,
                                          0x8000000000000000};

const std::vector<std::string> operators = {"+",  "-",  "*",  "/", "%",  "&", "|",  "^",  "<<",
                                            ">>", "==", "!=", "<", "<=", ">", ">=", "&&", "||"};

// One pair of types: registers with registers, with a constant on either side, and both constant (folded).
template <typename A, typename B>
void compare_pair(const std::string& a_name, const std::string& b_name, Operands& operands) {
  const std::string a_cast = "(" + a_name + ")";
  const std::string b_cast = "(" + b_name + ")";
  const auto literal = [](std::uint64_t bits) { return std::to_string(bits) + "ull"; };
  for (const std::string& op : operators) {
    Compiled both(a_cast + "arg0 " + op + " " + b_cast + "arg1");
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t x = operands.next();
      const std::uint64_t y = operands.next();
      ASSERT_EQ(both.run(x, y), computed(op, static_cast<A>(x), static_cast<B>(y)))
          << a_cast << x << " " << op << " " << b_cast << y;
    }
    for (const std::uint64_t x : edges) {
      for (const std::uint64_t y : edges) {
        ASSERT_EQ(both.run(x, y), computed(op, static_cast<A>(x), static_cast<B>(y)))
            << a_cast << x << " " << op << " " << b_cast << y;
      }
    }
    for (int i = 0; i < 6; ++i) {
      const std::uint64_t x = operands.next();
      const std::uint64_t y = operands.next();
      const auto expected = computed(op, static_cast<A>(x), static_cast<B>(y));
      const bool divides_by_zero = (op == "/" || op == "%") && static_cast<B>(y) == 0;
      if (divides_by_zero) continue;
      const std::string left = a_cast + literal(x);
      const std::string right = b_cast + literal(y);
      ASSERT_EQ(Compiled(a_cast + "arg0 " + op + " " + right).run(x, 0), expected) << left << op << right;
      ASSERT_EQ(Compiled(left + " " + op + " " + b_cast + "arg1").run(0, y), expected) << left << op << right;
      ASSERT_EQ(Compiled(left + " " + op + " " + right).run(0, 0), expected) << left << op << right;
    }
  }
}

template <typename A>
void compare_with_all(const std::string& a_name, Operands& operands) {
  compare_pair<A, std::int8_t>(a_name, "s8", operands);
  compare_pair<A, std::uint8_t>(a_name, "unsigned char", operands);
  compare_pair<A, std::int16_t>(a_name, "short", operands);
  compare_pair<A, std::uint16_t>(a_name, "u16", operands);
  compare_pair<A, std::int32_t>(a_name, "int", operands);
  compare_pair<A, std::uint32_t>(a_name, "unsigned", operands);
  compare_pair<A, std::int64_t>(a_name, "long long", operands);
  compare_pair<A, std::uint64_t>(a_name, "size_t", operands);
}

TEST(Arithmetic, BinaryOperatorsAgreeWithCForNarrowTypes) {
  Operands operands;
  compare_with_all<std::int8_t>("char", operands);
  compare_with_all<std::uint8_t>("u8", operands);
  compare_with_all<std::int16_t>("int16_t", operands);
  compare_with_all<std::uint16_t>("unsigned short", operands);
}

TEST(Arithmetic, BinaryOperatorsAgreeWithCForWideTypes) {
  Operands operands;
  compare_with_all<std::int32_t>("s32", operands);
  compare_with_all<std::uint32_t>("uint32_t", operands);
  compare_with_all<std::int64_t>("long", operands);
  compare_with_all<std::uint64_t>("unsigned long", operands);
}

template <typename T>
void compare_unary(const std::string& name, Operands& operands) {
  using P = decltype(+T{});
  using U = std::make_unsigned_t<P>;
  const std::string x = "(" + name + ")arg0";
  Compiled negated("-" + x);
  Compiled complemented("~" + x);
  Compiled plain("+" + x);
  Compiled inverted("!" + x);
  Compiled absolute("abs(" + x + ")");
  Compiled least("min(" + x + ", (" + name + ")arg1)");
  Compiled most("max(" + x + ", (" + name + ")arg1)");
  Compiled chosen("(" + name + ")arg1 ? " + x + " : -7");
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t bits = operands.next();
    const std::uint64_t other = operands.next();
    const P value = static_cast<T>(bits);
    const P second = static_cast<T>(other);
    const U magnitude = value < 0 ? static_cast<U>(U{0} - static_cast<U>(value)) : static_cast<U>(value);
    ASSERT_EQ(negated.run(bits, 0), number(static_cast<P>(U{0} - static_cast<U>(value)))) << name << bits;
    ASSERT_EQ(complemented.run(bits, 0), number(static_cast<P>(~static_cast<U>(value)))) << name << bits;
    ASSERT_EQ(plain.run(bits, 0), number(value)) << name << bits;
    ASSERT_EQ(inverted.run(bits, 0), number(value == 0)) << name << bits;
    ASSERT_EQ(absolute.run(bits, 0), number(static_cast<P>(magnitude))) << name << bits;
    ASSERT_EQ(least.run(bits, other), extreme(true, value, second)) << name << bits;
    ASSERT_EQ(most.run(bits, other), extreme(false, value, second)) << name << bits;
    using C = decltype(P{} + 1);
    ASSERT_EQ(chosen.run(bits, other), number(second != 0 ? static_cast<C>(value) : static_cast<C>(-7)));
  }
}

TEST(Arithmetic, UnaryOperatorsAndFunctionsAgreeWithC) {
  Operands operands;
  compare_unary<std::int8_t>("int8_t", operands);
  compare_unary<std::uint8_t>("u8", operands);
  compare_unary<std::int16_t>("s16", operands);
  compare_unary<std::uint16_t>("u16", operands);
  compare_unary<std::int32_t>("int", operands);
  compare_unary<std::uint32_t>("u32", operands);
  compare_unary<std::int64_t>("s64", operands);
  compare_unary<std::uint64_t>("u64", operands);
}

template <typename T>
void compare_magnitude(const std::string& name, Operands& operands) {
  for (const unsigned base : {2U, 3U, 10U, 16U, 1000U}) {
    Compiled magnitude("mag((" + name + ")arg0, base=" + std::to_string(base) + ")");
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t bits = operands.next();
      const T value = static_cast<T>(bits);
      const bool negative = value < 0;
      const auto wide = static_cast<std::uint64_t>(value);
      const std::uint64_t positive = negative ? 0 - wide : wide;
      std::uint64_t power = positive == 0 ? 0 : 1;
      for (std::uint64_t left = positive / base; left != 0; left /= base) power *= base;
      const T expected = static_cast<T>(negative ? 0 - power : power);
      ASSERT_EQ(magnitude.run(bits, 0), number(expected)) << "mag((" << name << ")" << bits << ", " << base << ")";
      ASSERT_EQ(Compiled("mag((" + name + ")" + std::to_string(bits) + "ull, " + std::to_string(base) + ")").run(0, 0),
                number(expected));
    }
  }
}

TEST(Arithmetic, MagnitudesAreTheLargestPowersNotAbove) {
  Operands operands;
  compare_magnitude<std::int32_t>("int", operands);
  compare_magnitude<std::uint32_t>("u32", operands);
  compare_magnitude<std::int64_t>("s64", operands);
  compare_magnitude<std::uint64_t>("u64", operands);
}

TEST(Arithmetic, ConversionsAgreeWithC) {
  Operands operands;
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t x = operands.next();
    ASSERT_EQ(Compiled("(int)(u8)(s16)arg0").run(x, 0),
              number(int{static_cast<std::uint8_t>(static_cast<std::int16_t>(x))}));
    ASSERT_EQ(Compiled("(u32)(signed char)arg0").run(x, 0),
              number(static_cast<std::uint32_t>(static_cast<signed char>(x))));
    ASSERT_EQ(Compiled("(u64)(int)arg0").run(x, 0), number(static_cast<std::uint64_t>(static_cast<int>(x))));
    ASSERT_EQ(Compiled("(bool)(u16)arg0 + 1").run(x, 0), number(int{static_cast<std::uint16_t>(x) != 0} + 1));
    ASSERT_EQ(Compiled("(u8)arg0 + 1").run(x, 0), number(static_cast<std::uint8_t>(x) + 1));
  }
}

// Random trees of 64-bit operators, deep enough to spill, against a direct evaluation of the same tree.
class Trees {
 public:
  struct Tree {
    std::string text;
    Outcome outcome;
  };
  Tree make(unsigned depth, const std::array<std::uint64_t, 3>& arguments) {
    if (depth == 0) {
      const std::size_t which = random_() % 5;
      if (which < 3) {
        // A read through a pointer keeps nothing alive in registers.
        const bool read = random_() % 3 == 0;
        const std::string name = "arg" + std::to_string(which);
        return {read ? "*(s64 *)(arg3 + " + std::to_string(8 * which) + ")" : name, {false, arguments[which]}};
      }
      const std::uint64_t constant = random_() >> (random_() % 64);
      return {"(s64)" + std::to_string(constant) + "ull", {false, constant}};
    }
    const Tree left = make(depth - 1, arguments);
    const Tree right = make(random_() % 3 == 0 ? depth / 2 : depth - 1, arguments);
    static const std::vector<std::string> used = {"+", "-", "*", "/", "%", "&", "|", "^", "<", "==", "<<"};
    const std::string& op = used[random_() % used.size()];
    Outcome outcome{true, 0};
    if (!left.outcome.is_null && !right.outcome.is_null) {
      outcome =
          computed(op, static_cast<std::int64_t>(left.outcome.bits), static_cast<std::int64_t>(right.outcome.bits));
    }
    // Kept 64 bits wide, so that the tree can be computed without knowing C's types.
    return {"(s64)(" + left.text + " " + op + " " + right.text + ")", outcome};
  }

 private:
  std::mt19937_64 random_{7};
};

TEST(Arithmetic, RandomTreesAgreeWithTheirDirectEvaluation) {
  Trees trees;
  Operands operands;
  int compared = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::array<std::uint64_t, 3> arguments = {operands.next(), operands.next(), operands.next()};
    const Trees::Tree tree = trees.make(1 + static_cast<unsigned>(i) % 6, arguments);
    if (tree.text.size() > 1024) continue;
    const Evaluated probe = evaluate(probe_of({gauge(tree.text)}));
    if (!probe.faults.empty()) {
      ASSERT_NE(faults_text(probe).find("division by zero"), std::string::npos) << tree.text << faults_text(probe);
      continue;
    }
    Stopped stopped;
    stopped.machine.map_user(arguments.data(), sizeof(arguments));
    stopped.arguments(arguments[0], arguments[1], arguments[2]);
    stopped.registers.rcx = BpfMachine::address(arguments.data());
    const std::uint64_t answer = stopped.run(probe.probe.instruments[0].evaluate);
    ASSERT_EQ(stopped.error, "") << tree.text << "\n" << listing(probe.probe.instruments[0].evaluate.instructions);
    ASSERT_LE(stopped.stack_used, 200U);
    const Outcome outcome{answer == 0, answer == 0 ? 0 : static_cast<std::uint64_t>(stopped.value())};
    ASSERT_EQ(outcome, tree.outcome) << tree.text << "\n" << listing(probe.probe.instruments[0].evaluate.instructions);
    ++compared;
  }
  EXPECT_GT(compared, 2000);
}

}  // namespace
}  // namespace diagnose::compile
