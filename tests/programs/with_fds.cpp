// with_fds SOCKET [FD:NAME]... -- COMMAND...: becomes COMMAND as a service manager starts it: NOTIFY_SOCKET is SOCKET,
// and it is given the descriptors under their names (sd_listen_fds(3)).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

int main(int argc, char** argv) {
  constexpr int first = 3;          // SD_LISTEN_FDS_START
  constexpr int out_of_way = 4096;  // above all that are given
  int at = 2;
  std::string names;
  std::vector<int> given;
  for (; at < argc && std::strcmp(argv[at], "--") != 0; ++at) {
    const char* colon = std::strchr(argv[at], ':');
    names += (names.empty() ? "" : ":") + std::string(colon + 1);
    const int original = std::atoi(argv[at]);
    given.push_back(fcntl(original, F_DUPFD_CLOEXEC, out_of_way));
    close(original);
  }
  for (std::size_t number = 0; number < given.size(); ++number) {
    if (dup2(given[number], first + static_cast<int>(number)) < 0) return 126;
  }
  setenv("NOTIFY_SOCKET", argv[1], 1);
  if (!given.empty()) {
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", std::to_string(given.size()).c_str(), 1);
    setenv("LISTEN_FDNAMES", names.c_str(), 1);
  }
  execvp(argv[at + 1], argv + at + 1);
  std::perror(argv[at + 1]);
  return 127;
}
