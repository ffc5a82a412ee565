// uses_library N: calls `counted_add` of libcounted.so N times.
#include "protocol.h"

extern "C" long counted_add(long amount);

int main(int argc, char** argv) {
  const long calls = protocol::argument(argc, argv, 1, 1000);
  protocol::ready();
  long total = 0;
  for (long i = 0; i < calls; ++i) total = counted_add(i % 10);
  protocol::print("calls", calls);
  protocol::print("total", total);
}
