#include "shelf.h"

#include "protocol.h"

namespace shelf {

volatile static long puts_done = 0;  // nobody else's

State state = {0, "upper", {1, 2, 3}};

extern "C" PROBED long shelf_put(long amount) {
  SAVES_A_REGISTER();
  puts_done = puts_done + 1;
  state.books += amount;
  state.name = state.books % 3 == 0 ? "upper" : "lower";
  state.marks[1] = static_cast<int>(state.books % 7);
  return state.books;
}

}  // namespace shelf
