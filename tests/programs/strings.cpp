// strings N: calls `say` with strings that differ in length and content, in rounds: `alpha` 3N times, `beta` 2N, the
// empty string N, one of 300 characters N, one with quotes and a newline N, and the null pointer N times.
#include <cstring>

#include "protocol.h"

extern "C" PROBED long say(const char* text) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(text));
  return text == nullptr ? -1 : static_cast<long>(std::strlen(text));
}

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 10);
  char lengthy[301];
  std::memset(lengthy, 'x', 300);
  lengthy[300] = '\0';
  protocol::ready();
  long lengths = 0;
  for (long i = 0; i < rounds; ++i) {
    for (int k = 0; k < 3; ++k) lengths += say("alpha");
    for (int k = 0; k < 2; ++k) lengths += say("beta");
    lengths += say("");
    lengths += say(lengthy);
    lengths += say("say \"hi\"\n\\");
    say(nullptr);
  }
  protocol::print("calls", rounds * 9);
  protocol::print("alpha", rounds * 3);
  protocol::print("beta", rounds * 2);
  protocol::print("empty", rounds);
  protocol::print("long", rounds);
  protocol::print("quoted", rounds);
  protocol::print("null", rounds);
  protocol::print("lengths", lengths);
}
