// virtuals S N: N rounds of a virtual call from each of S places (at most 100); every seventh call throws, and whoever
// calls the place catches.
#include <array>
#include <stdexcept>
#include <utility>

#include "tally.h"

namespace {

protocol::Tally area_tally;

}  // namespace

struct Shape {
  virtual ~Shape() = default;
  virtual long area(long i) = 0;
};

struct Square : Shape {
  PROBED long area(long i) override;
};

struct Point : Shape {
  PROBED long area(long i) override {
    asm volatile("" : "+r"(i));
    return 0;
  }
};

long Square::area(long i) {
  SAVES_A_REGISTER();
  area_tally.enter();
  if (i % 7 == 6) throw std::out_of_range("too large");
  return area_tally.leave(i * i);
}

namespace {

constexpr std::size_t places_most = 100;

template <std::size_t number>
PROBED long place(Shape& shape, long i) {
  const long area = shape.area(i);
  return area * static_cast<long>(number + 1) + 1;
}

using Place = long (*)(Shape&, long);

template <std::size_t... numbers>
constexpr std::array<Place, sizeof...(numbers)> places(std::index_sequence<numbers...> /*all*/) {
  return {place<numbers>...};
}

}  // namespace

int main(int argc, char** argv) {
  const long sites = protocol::argument(argc, argv, 1, 5);
  const long rounds = protocol::argument(argc, argv, 2, 70);
  const auto all = places(std::make_index_sequence<places_most>());
  Square square;
  Point point;
  protocol::ready();
  long results = 0;
  long caught = 0;
  for (long i = 0; i < rounds; ++i) {
    for (long site = 0; site < sites; ++site) {
      const Place one = all.at(static_cast<std::size_t>(site));
      results += one(point, i);
      try {
        results += one(square, i + site);
      } catch (const std::out_of_range&) {
        ++caught;
      }
    }
  }
  protocol::print("Square::area", area_tally);
  protocol::print("caught", caught);
  protocol::print("results", results);
}
