#include "cli/terminal.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace diagnose::cli {

namespace {

constexpr int closed_pipe_status = 141;  // what a shell shows for a death by SIGPIPE

sigset_t interrupt_signals() {
  sigset_t set{};
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

Style style_of(int fd) {
  Style style;
  style.terminal = isatty(fd) != 0;
  const char* no_colour = std::getenv("NO_COLOR");
  style.colour = style.terminal && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (style.terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    style.width = size.ws_col;
    style.rows = size.ws_row;
  }
  return style;
}

}  // namespace

Style style_of_stdout() {
  return style_of(STDOUT_FILENO);
}

Style style_of_stderr() {
  return style_of(STDERR_FILENO);
}

Interrupts::Interrupts() {
  const sigset_t set = interrupt_signals();
  fd_ = Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  // Without the descriptor the signals keep their usual effect: the connection closes and the daemon detaches.
  if (fd_) sigprocmask(SIG_BLOCK, &set, nullptr);
}

Interrupts::~Interrupts() {
  const sigset_t set = interrupt_signals();
  if (fd_) sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) std::_Exit(closed_pipe_status);
}

void Screen::paint(const std::string& picture) {
  if (!style_.terminal) return;
  std::string shown = picture;
  const std::size_t room = std::max<std::size_t>(style_.rows, 2) - 1;
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = shown.find('\n', at)) != std::string::npos; ++at) {
    if (++lines == room) {
      shown.resize(at + 1);
      break;
    }
  }
  clear();
  // Without wrapping (DECAWM) a line is a row, however wide it is.
  print("\x1b[?7l" + shown + "\x1b[?7h");
  rows_ = lines;
}

void Screen::clear() {
  if (rows_ == 0) return;
  print("\x1b[" + std::to_string(rows_) + "A\r\x1b[J");
  rows_ = 0;
}

}  // namespace diagnose::cli
