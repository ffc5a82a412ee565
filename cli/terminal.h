// What the standard streams are connected to, and the signals of a person at the keyboard.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace diagnose::cli {

struct Style {
  bool colour = false;  // a terminal, and NO_COLOR is not set (no-color.org)
  bool terminal = false;
  std::size_t width = 80;  // columns
  std::size_t rows = 24;
};

[[nodiscard]] Style style_of_stdout();
[[nodiscard]] Style style_of_stderr();

// SIGINT and SIGTERM, taken out of the process's normal ways until destroyed, readable from fd().
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

// To stdout, at once.  Ends the process quietly, as SIGPIPE would, when nobody can read it any more.
void print(std::string_view text);

// A picture that is painted over itself on a terminal.
class Screen {
 public:
  explicit Screen(Style style) : style_(style) {}
  // Replaces the last picture; cut to the terminal's rows.  Does nothing in a pipe.
  void paint(const std::string& picture);
  // Takes the picture away, so that lines can be printed where it stood.
  void clear();

 private:
  Style style_;
  std::size_t rows_ = 0;  // of the picture that stands
};

}  // namespace diagnose::cli
