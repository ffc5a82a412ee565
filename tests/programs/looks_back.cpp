// looks_back N: functions that look at their own return address: by backtrace(), by dlsym(RTLD_NEXT), and directly.
#include <dlfcn.h>
#include <execinfo.h>

#include "tally.h"

namespace {

protocol::Tally deep_tally, next_tally, where_tally;

// Of an address in this program, from where it was loaded; -1 for any other.
long offset(const void* address) {
  Dl_info here{};
  Dl_info there{};
  if (dladdr(reinterpret_cast<void*>(&protocol::ready), &here) == 0 || dladdr(address, &there) == 0) return -1;
  if (here.dli_fbase != there.dli_fbase) return -1;
  return static_cast<const char*>(address) - static_cast<const char*>(there.dli_fbase);
}

}  // namespace

extern "C" {

PROBED long deep(long depth) {
  SAVES_A_REGISTER();
  deep_tally.enter();
  if (depth > 1) return deep_tally.leave(deep(depth - 1));
  void* frames[64];
  const int count = backtrace(frames, 64);
  // Our own frames' addresses differ only by where the program was loaded.
  long sum = 0;
  for (int i = 0; i < count; ++i) sum += offset(frames[i]) * (i + 1);
  return deep_tally.leave(count * 1'000'000'000L + sum);
}

PROBED long next_symbol(const char* name) {
  SAVES_A_REGISTER();
  next_tally.enter();
  // Found behind the object that the return address lies in: nothing, if that is nobody's.
  void* found = dlsym(RTLD_NEXT, name);
  Dl_info object{};
  long length = 0;
  if (found != nullptr && dladdr(found, &object) != 0) {
    for (const char* c = object.dli_fname; *c != 0; ++c) ++length;
  }
  return next_tally.leave(length);
}

PROBED long where(long i) {
  SAVES_A_REGISTER();
  where_tally.enter();
  return where_tally.leave(offset(__builtin_return_address(0)) + i);
}

}  // extern "C"

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 20);
  protocol::ready();
  long depths = 0;
  long lengths = 0;
  long offsets = 0;
  for (long i = 0; i < rounds; ++i) {
    depths += deep(5);
    lengths += next_symbol("puts");
    offsets += where(i);
  }
  protocol::print("deep", deep_tally);
  protocol::print("next_symbol", next_tally);
  protocol::print("where", where_tally);
  protocol::print("backtraces", depths);
  protocol::print("names", lengths);
  protocol::print("offsets", offsets);
}
