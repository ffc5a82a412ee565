// Classes: `this`, bases, virtual functions, overloads, templates, operators, constructors.
#include "exact.h"

namespace exact {

struct Named {
  explicit Named(const char* given) : name(given) {}
  const char* name;
};
struct Ranked {
  virtual ~Ranked() = default;
  EXACT virtual int rank(int by) const;
  int ranked = 1;
};
class Cart : public Named, public Ranked {
 public:
  Cart() : Named("other") {}
  EXACT Cart(const char* given, int first, long second);
  EXACT ~Cart() override;
  EXACT long add(int item, short amount);
  EXACT int peek(unsigned at) const;
  EXACT static long whole(int item, long amount);
  EXACT int rank(int by) const override;
  EXACT Cart& operator+=(int more);
  EXACT bool operator()(char c, bool b) const;

  int items[4] = {1, 2, 3, 4};

 private:
  friend void call_carts();
  long total_ = 0;
  bool open_ = true;
};

static const Case built_case("exact::Cart::Cart(char const*, int, long)", {"given", "first", "second"});
static const Case ended_case("exact::Cart::~Cart", {"this->total_", "this", "items[1]"});
static const Case add_case("exact::Cart::add",
                           {"this", "@this->total_", "@total_", "this->name", "ranked", "open_", "item", "amount",
                            "this->items[2]"},
                           {"total_", "result"});
static const Case peek_case("exact::Cart::peek", {"this", "at", "items[3]", "name"}, {"result"});
static const Case whole_case("exact::Cart::whole", {"item", "amount"}, {"result"});
static const Case rank_case("exact::Cart::rank", {"by", "this->ranked", "this->total_"}, {"result"});
static const Case base_rank_case("exact::Ranked::rank", {"this", "by", "ranked"}, {"result"});
static const Case plus_case("exact::Cart::operator+=", {"this", "more", "@total_"}, {"total_", "&result"});
static const Case called_case("exact::Cart::operator()", {"c", "b"}, {"result"});

Cart::Cart(const char* given, int first, long second) : Named(given), total_(first ^ second) {
  kept = static_cast<std::uint64_t>(first);
}
Cart::~Cart() {
  kept = static_cast<std::uint64_t>(total_);
}
long Cart::add(int item, short amount) {
  total_ += item * amount;
  items[0] = item;
  return total_ + ranked;
}
int Cart::peek(unsigned at) const {
  kept = at;
  return items[at % 4] + (open_ ? 1 : 0);
}
long Cart::whole(int item, long amount) {
  kept = static_cast<std::uint64_t>(item);
  return item ^ amount;
}
int Ranked::rank(int by) const {
  kept = static_cast<std::uint64_t>(by);
  return ranked ^ by;
}
int Cart::rank(int by) const {
  kept = static_cast<std::uint64_t>(ranked);
  return static_cast<int>(total_) ^ by;
}
Cart& Cart::operator+=(int more) {
  total_ += more;
  return *this;
}
bool Cart::operator()(char c, bool b) const {
  kept = static_cast<std::uint64_t>(total_);
  return b || c > 0;
}

void call_carts() {
  const auto first = any<int>();
  const auto second = any<long>() / 1024;
  const char* name = first % 2 == 0 ? "even" : "odd";
  built_case.call({name, first, second});
  alignas(Cart) static char space[sizeof(Cart)];
  Cart& cart = *new (space) Cart(name, first, second);
  built_case.returned();
  cart.ranked = any<int>();
  cart.open_ = second % 2 == 0;
  cart.items[3] = any<int>() / 2;
  const auto item = any<int>() / 65536;
  const auto amount = any<short>();
  add_case.call({&cart, cart.total_, cart.total_, cart.name, cart.ranked, cart.open_, item, amount, cart.items[2]});
  const long added = cart.add(item, amount);
  add_case.returned({cart.total_, added});

  const auto at = any<unsigned>();
  peek_case.call({&cart, at, cart.items[3], cart.name});
  peek_case.returned({cart.peek(at)});

  whole_case.call({item, second});
  whole_case.returned({Cart::whole(item, second)});

  Ranked* volatile ranked = &cart;
  rank_case.call({item, cart.ranked, cart.total_});
  rank_case.returned({ranked->rank(item)});
  base_rank_case.call({static_cast<Ranked*>(&cart), item, cart.ranked});
  base_rank_case.returned({cart.Ranked::rank(item)});

  plus_case.call({&cart, item, cart.total_});
  const Cart& same = (cart += item);
  plus_case.returned({cart.total_, &same});

  const auto c = any<char>();
  called_case.call({c, cart.open_});
  called_case.returned({cart(c, cart.open_)});

  ended_case.call({cart.total_, &cart, cart.items[1]});
  cart.~Cart();
  ended_case.returned();
}

// ---- overloads, templates ----

static const Case over_int_case("exact::over(int, char)", {"a", "b"}, {"result"});
static const Case over_long_case("exact::over(long, short)", {"n", "m"}, {"result"});
EXACT int over(int a, char b) {
  kept = static_cast<std::uint64_t>(a);
  return a ^ b;
}
EXACT long over(long n, short m) {
  kept = static_cast<std::uint64_t>(n);
  return n - m;
}

static const Case scaled_case("exact::scaled<short>", {"value", "by"}, {"result"});
template <typename Number>
EXACT Number scaled(Number value, int by) {
  kept = static_cast<std::uint64_t>(by);
  return static_cast<Number>(value * by);
}

template <typename Element>
struct Box {
  Element inside;
  EXACT Element exchanged(Element other) {
    const Element before = inside;
    inside = other;
    return before;
  }
};
static const Case box_case("exact::Box<unsigned int>::exchanged", {"other", "@inside", "this"}, {"inside", "result"});

static void call_overloads() {
  const auto n = any<int>();
  const auto b = any<char>();
  over_int_case.call({n, b});
  over_int_case.returned({over(n, b)});
  const auto l = any<long>() / 2;
  const auto m = any<short>();
  over_long_case.call({l, m});
  over_long_case.returned({over(l, m)});
  scaled_case.call({m, n});
  scaled_case.returned({scaled<short>(m, n)});
  Box<unsigned> box{any<unsigned>()};
  const auto other = any<unsigned>();
  box_case.call({other, box.inside, &box});
  const unsigned before = box.exchanged(other);
  box_case.returned({box.inside, before});
}

// A pointer to an object that a pointer's base is not the start of, and one of a virtual base.
struct Far {
  virtual ~Far() = default;
  int distance = 3;
};
struct Near : virtual Far {
  int closeness = 4;
};
static const Case base_case("exact::base", {"r->ranked", "r"}, {"result"});
EXACT int base(const Ranked* r) {
  kept = 1;
  return r->ranked;
}
static const Case near_case("exact::near", {"n->closeness", "!n->distance"}, {"result"});
EXACT int near(const Near* n) {
  kept = 2;
  return n->distance + n->closeness;
}

static void call_bases() {
  static Cart& cart = *new Cart;  // never destroyed
  cart.ranked = any<int>();
  base_case.call({cart.ranked, static_cast<Ranked*>(&cart)});
  base_case.returned({base(&cart)});
  Near n;
  n.closeness = any<int>() / 2;
  near_case.call({n.closeness, n.distance});
  near_case.returned({near(&n)});
}

void call_members() {
  call_carts();
  call_overloads();
  call_bases();
}

}  // namespace exact
