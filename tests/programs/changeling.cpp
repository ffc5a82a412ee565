// changeling N: at each of N lines it calls `work` once and executes itself anew; then it ends.
#include <string>

#include "protocol.h"

extern "C" PROBED long work(long i) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(i));
  return i * 3;
}

int main(int argc, char** argv) {
  const long left = protocol::argument(argc, argv, 1, 1);
  protocol::ready();
  long result = work(left);
  asm volatile("" : "+r"(result));
  if (left <= 1) return 0;
  const std::string next = std::to_string(left - 1);
  execl("/proc/self/exe", argv[0], next.c_str(), static_cast<char*>(nullptr));
  return 127;
}
