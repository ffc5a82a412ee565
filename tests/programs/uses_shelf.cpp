// uses_shelf N [again]: N times calls `step` of its own and `shelf_put` of libshelf.so, each of which a probe may ask
// for the other's globals.  With `again` it then executes itself, and does the same once more.  Prints what the globals
// were, summed over the calls; behind `again` with `again_` in front.
#include <cstring>
#include <string>

#include "protocol.h"
#include "shelf/shelf.h"

long steps_taken = 0;

extern "C" PROBED long step(long number) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(number));
  return ++steps_taken + number;
}

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 1000);
  const bool first = argc < 3 || std::strcmp(argv[2], "more") != 0;
  if (first) protocol::ready();
  long books = 0;
  long marks = 0;
  long upper = 0;
  long steps = 0;
  for (long i = 0; i < calls; ++i) {
    books += shelf::state.books;  // as `step` finds them
    marks += shelf::state.marks[1];
    upper += std::strcmp(shelf::state.name, "upper") == 0 ? 1 : 0;
    step(i);
    steps += steps_taken;  // as `shelf_put` finds them
    shelf::shelf_put(i % 5 + 1);
  }
  const std::string again = first ? "" : "again_";
  protocol::print((again + "calls").c_str(), calls);
  protocol::print((again + "books").c_str(), books);
  protocol::print((again + "marks").c_str(), marks);
  protocol::print((again + "upper").c_str(), upper);
  protocol::print((again + "steps").c_str(), steps);
  std::fflush(stdout);
  if (first && argc > 2) execl("/proc/self/exe", argv[0], argv[1], "more", nullptr);
}
