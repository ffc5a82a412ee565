#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <vector>

#include "cli/command_line.h"
#include "cli/terminal.h"
#include "control/protocol.h"

namespace {

void leave(int /*signal*/) {
  _exit(static_cast<int>(diagnose::cli::Exit::interrupted));
}

// Ctrl-C ends with 130 and prints nothing; a reader of ours that stops reading ends us as quietly.
void set_signals() {
  struct sigaction interrupt {};
  if (sigaction(SIGINT, nullptr, &interrupt) == 0 && interrupt.sa_handler != SIG_IGN) {
    interrupt.sa_handler = leave;
    interrupt.sa_flags = 0;
    sigaction(SIGINT, &interrupt, nullptr);
  }
  std::signal(SIGPIPE, SIG_DFL);
}

}  // namespace

int main(int argc, char** argv) {
  set_signals();
  const char* socket = std::getenv("DIAGNOSE_SOCKET");
  const auto parsed = diagnose::cli::parse_command_line(
      std::vector<std::string>(argv + 1, argv + argc),
      socket != nullptr && *socket != '\0' ? socket : diagnose::control::default_socket);
  diagnose::cli::print(parsed.output);
  std::fwrite(parsed.errors.data(), 1, parsed.errors.size(), stderr);
  return static_cast<int>(parsed.run ? parsed.run() : parsed.exit);
}
