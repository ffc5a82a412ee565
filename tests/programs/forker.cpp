// forker K N [fork]: starts K child processes that each call `work` N times: by executing this program anew, or, with a
// third argument, by fork alone.  Prints the calls of all children that ended well.
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol.h"

extern "C" PROBED long work(long i) {
  SAVES_A_REGISTER();
  asm volatile("" : "+r"(i));
  return i * 3;
}

namespace {

int child(long count) {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += work(i);
  asm volatile("" : "+r"(sum));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--child") return child(std::atol(argv[2]));
  const long children = protocol::argument(argc, argv, 1, 4);
  const long count = protocol::argument(argc, argv, 2, 1000);
  const bool exec = argc < 4;
  const std::string count_text = std::to_string(count);
  protocol::ready();
  for (long i = 0; i < children; ++i) {
    if (fork() != 0) continue;
    if (!exec) _exit(child(count));
    execl("/proc/self/exe", argv[0], "--child", count_text.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  long well = 0;
  int status = 0;
  while (wait(&status) > 0) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) ++well;
  }
  protocol::print("children", well);
  protocol::print("calls", well * count);
}
