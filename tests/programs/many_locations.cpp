// many_locations: passes the marker shop:many at 200 locations, with a constant and the location's number, which are
// the same; but location 1 has the constant of location 0, unsigned.
#include <utility>

#include "marker.h"
#include "protocol.h"

namespace {

constexpr int locations = 200;

template <int number>
PROBED void pass() {
  const long location = number;
  if constexpr (number == 1) {
    MARKER("many", "0", "4@%0 -8@%1", "n"(0), "r"(location));
  } else {
    MARKER("many", "0", "-4@%0 -8@%1", "n"(number), "r"(location));
  }
}

template <int... numbers>
void pass_all(std::integer_sequence<int, numbers...> /*unused*/) {
  (pass<numbers>(), ...);
}

}  // namespace

int main() {
  protocol::ready();
  pass_all(std::make_integer_sequence<int, locations>());
  protocol::print("passed", locations);
}
