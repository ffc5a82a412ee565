// split N: a program whose debug information is in files of its own.  Calls take() N times.
#include "protocol.h"

struct Item {
  const char* name;
  long count;
};

long total = 40;

extern "C" PROBED long take(const Item* item, long more) {
  SAVES_A_REGISTER();
  total += more;
  return item->count + item->name[0] + more;
}

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 1);
  const Item item{"apple", 3};
  protocol::ready();
  for (long i = 0; i < calls; ++i) take(&item, i);
  protocol::print("calls", calls);
  return 0;
}
