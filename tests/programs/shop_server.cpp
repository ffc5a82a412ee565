// shop_server [--seconds N]: a small shop that is always busy.  Several threads price items and check out carts,
// quickly or slowly by what is in them, until SIGTERM, SIGINT or N seconds have passed; then it prints how often each
// was called.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <unistd.h>
#include <vector>

#include "protocol.h"

namespace shop {

namespace {

std::atomic<long> priced = 0;
std::atomic<long> checked_out = 0;

// Real work, in proportion to `steps`: its result is used, so that it cannot be left out.
long grind(long steps) {
  unsigned long x = static_cast<unsigned long>(steps) | 1U;
  for (long i = 0; i < steps; ++i) {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
  }
  return static_cast<long>(x & 0xffU);
}

}  // namespace

// The price of `quantity` pieces of `item`, in cents.
PROBED long price(int item, int quantity) {
  SAVES_A_REGISTER();
  priced.fetch_add(1, std::memory_order_relaxed);
  const long rebate = grind(50 + 20L * (item % 5)) % 10;
  return (100L + item) * quantity * (100 - rebate) / 100;
}

class Cart {
 public:
  explicit Cart(int region) : region_(region) {}
  // Prices every item and waits for the bank.  The sum in cents; 0 if the bank refuses.
  PROBED long checkout(int items);

 private:
  int region_;
  long turnover_ = 0;
};

PROBED long Cart::checkout(int items) {
  SAVES_A_REGISTER();
  checked_out.fetch_add(1, std::memory_order_relaxed);
  long sum = 0;
  for (int item = 0; item < items; ++item) sum += price(item, 1 + item % 3);
  std::this_thread::sleep_for(std::chrono::microseconds(200 * items + 300 * region_));
  if (items % 10 == 9) return 0;
  turnover_ += sum;
  return sum;
}

}  // namespace shop

namespace {

std::atomic<bool> stop = false;

extern "C" void on_signal(int) {
  stop.store(true);
}

void serve(int region) {
  shop::Cart cart(region);
  std::mt19937 dice(static_cast<unsigned>(region) + 1U);
  std::geometric_distribution<int> items(0.25);
  while (!stop.load(std::memory_order_relaxed)) {
    cart.checkout(1 + items(dice) % 20);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

int main(int argc, char** argv) {
  long seconds = 0;
  if (argc == 3 && std::strcmp(argv[1], "--seconds") == 0) seconds = std::atol(argv[2]);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::printf("shop_server: open, pid %d\n", static_cast<int>(getpid()));
  std::fflush(stdout);

  const auto closing = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::vector<std::thread> tills;
  for (int region = 0; region < 4; ++region) tills.emplace_back(serve, region);
  while (!stop.load() && (seconds == 0 || std::chrono::steady_clock::now() < closing)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  stop.store(true);
  for (auto& till : tills) till.join();
  protocol::print("price_calls", shop::priced.load());
  protocol::print("checkout_calls", shop::checked_out.load());
}
