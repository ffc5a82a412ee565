// plugins N: calls `provided` of a library from here, from a second library, and from a third one that is opened after
// `ready` and, at half time, closed and opened again.
#include <dlfcn.h>

#include "protocol.h"

extern "C" {
long provided(long i);
void print_provided();
long from_middle(long i);
}

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  protocol::ready();
  long results = 0;
  for (int half = 0; half < 2; ++half) {
    void* plugin = dlopen("libplugin.so", RTLD_NOW);
    if (plugin == nullptr) return 1;
    const auto from_plugin = reinterpret_cast<long (*)(long)>(dlsym(plugin, "from_plugin"));
    for (long i = 0; i < rounds / 2; ++i) results += provided(i) + from_middle(i) + from_plugin(i);
    dlclose(plugin);
  }
  print_provided();
  protocol::print("results", results);
}
