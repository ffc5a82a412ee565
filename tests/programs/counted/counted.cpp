// libcounted.so: a shared library with an exported function to probe.
#include "protocol.h"

extern "C" PROBED long counted_add(long amount) {
  static long total = 0;
  SAVES_A_REGISTER();
  return __atomic_add_fetch(&total, amount, __ATOMIC_RELAXED);
}
