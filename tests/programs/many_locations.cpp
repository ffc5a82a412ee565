// many_locations: passes the marker shop:many at 200 locations, each with its own constant and, beside it, its number,
// which is the same.  At location 1 the constant is unsigned; everything else about it is as at location 0.
#include <utility>

#include "marker.h"
#include "protocol.h"

namespace {

constexpr int locations = 200;

template <int number>
PROBED void pass() {
  const long same = number;
  if constexpr (number == 1) {
    MARKER("many", "0", "4@%0 -8@%1", "n"(number), "r"(same));
  } else {
    MARKER("many", "0", "-4@%0 -8@%1", "n"(number), "r"(same));
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
