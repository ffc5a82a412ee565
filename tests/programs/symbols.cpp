// Names of every kind that C++ makes, for the tests that look them up.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#define KEPT [[gnu::noinline, gnu::used, gnu::noclone]]

namespace shop {

struct Base {
  virtual ~Base() = default;
  virtual int weight(int unit) = 0;
};

struct Named {
  virtual ~Named() = default;
  virtual std::string label() = 0;
};

class Cart : public Base, public Named {
 public:
  KEPT explicit Cart(int items) : items_(items) {}
  KEPT int checkout(int amount) { return amount + items_; }
  KEPT int checkout(const char* voucher) const { return items_ + voucher[0]; }
  KEPT int checkout(std::string voucher) { return static_cast<int>(voucher.size()); }
  KEPT int operator()(int x) const { return x * items_; }
  KEPT bool operator<(const Cart& other) const { return items_ < other.items_; }
  KEPT explicit operator long() const { return items_; }
  KEPT int weight(int unit) override { return unit * items_; }
  KEPT std::string label() override { return "cart " + std::to_string(items_); }

 private:
  int items_;
};

template <typename T>
KEPT T twice(T value) {
  return value + value;
}

template <typename T>
struct Shelf {
  KEPT T take(std::size_t at) { return items.at(at); }
  std::vector<T> items;
};

KEPT Cart& operator<<(Cart& cart, int) {
  return cart;
}

[[gnu::abi_tag("v2")]] KEPT int tagged(int x) {
  return x ^ 5;
}

namespace {
KEPT int hidden(int x) {
  return x - 7;
}
}  // namespace

KEPT int with_lambda(int x) {
  const auto inner = [x](int y) __attribute__((noinline, noclone, used)) {
    return x * y;
  };
  return inner(x + 1);
}

// Throws now and then, so that its clean-up lies in a cold part.
KEPT int risky(int x) {
  std::string text(static_cast<std::size_t>(x % 40), 'x');
  if (x == 7) throw std::runtime_error(text);
  return static_cast<int>(text.size()) + x;
}

}  // namespace shop

int main() {
  shop::Cart cart(3);
  shop::Cart other(4);
  int sum = 0;
  shop::Shelf<int> shelf{{1, 2, 3}};
  for (int i = 0; i < 10; ++i) {
    sum += cart.checkout(i) + static_cast<const shop::Cart&>(cart).checkout("voucher") +
           cart.checkout(std::string("v")) + cart(i);
    sum += (cart < other ? 1 : 0) + static_cast<int>(static_cast<long>(cart << 1));
    sum += shop::twice(i) + static_cast<int>(shop::twice(1.5)) + shelf.take(1) + shop::tagged(i) + shop::hidden(i);
    sum += shop::with_lambda(i) + static_cast<shop::Base&>(cart).weight(2);
    sum += static_cast<int>(static_cast<shop::Named&>(cart).label().size());
    try {
      sum += shop::risky(i);
    } catch (const std::exception& caught) {
      sum += static_cast<int>(std::string(caught.what()).size());
    }
  }
  std::printf("calls 10\nsum %d\n", sum);
}
