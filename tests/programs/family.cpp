// family T N: T threads call `work` N times each, and so do a child by fork and one by fork and exec; a child by vfork
// calls it once.  `work` are the calls of this process, `children` those of all children.  `forks` is inside of a
// function when it forks, in parent and child.
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tally.h"

namespace {

protocol::Tally work_tally, forks_tally;

}  // namespace

extern "C" PROBED long work(long i) {
  SAVES_A_REGISTER();
  work_tally.enter();
  return work_tally.leave(i * 3);
}

namespace {

long many(long calls) {
  long sum = 0;
  for (long i = 0; i < calls; ++i) sum += work(i);
  return sum;
}

bool well(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

// Returns twice: in the parent, and in the child, which ends at once.
extern "C" PROBED long forks(long i) {
  SAVES_A_REGISTER();
  forks_tally.enter();
  const pid_t child = fork();
  forks_tally.returns.fetch_add(1, std::memory_order_relaxed);
  asm volatile("" : "+r"(i));
  return child == 0 ? -1 : child + i * 0;
}

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--child") return many(std::atol(argv[2])) < 0 ? 1 : 0;
  const long threads = protocol::argument(argc, argv, 1, 10);
  const long calls = protocol::argument(argc, argv, 2, 200);
  const std::string calls_text = std::to_string(calls);
  protocol::ready();
  std::vector<std::thread> workers;
  for (long t = 0; t < threads; ++t) workers.emplace_back([&] { many(calls); });
  const pid_t forked = fork();
  if (forked == 0) _exit(many(calls) < 0 ? 1 : 0);
  const pid_t executed = fork();
  if (executed == 0) {
    execl("/proc/self/exe", argv[0], "--child", calls_text.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  for (auto& worker : workers) worker.join();
  const pid_t borrowed = vfork();
  if (borrowed == 0) {
    work(1);  // counts in the parent's memory
    _exit(0);
  }
  const long returned = forks(1);
  if (returned < 0) _exit(0);
  const bool all = well(forked) && well(executed) && well(borrowed) && well(static_cast<pid_t>(returned));
  work_tally.calls -= 1;
  work_tally.returns -= 1;
  protocol::print("work", work_tally);
  protocol::print("forks", forks_tally);
  protocol::print("children", all ? 2 * calls + 1 : -1);
}
