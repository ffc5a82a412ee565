// Files that a library opens by path, in a process that may open none: libdw looks for split debug information in files
// that it finds by name (elfutils 0.192: libdw_find_split_unit.c), and has no way to be given them.
#pragma once

#include <cstdint>

#include "target/answer.h"

namespace diagnose::target {

// While it lives, the system calls that the filter traps (confinement.h) are answered from `files`: an open of one of
// their names is a descriptor of its own, every other path is refused with EACCES.  One at a time; borrows `files`.
// A process of one thread only.
class GivenFiles {
 public:
  // Answers the system calls that the filter traps from now on, as SIGSYS's handler.  0 or an errno value.
  [[nodiscard]] static int install();

  explicit GivenFiles(const SplitFiles& files);
  GivenFiles(const GivenFiles&) = delete;
  GivenFiles& operator=(const GivenFiles&) = delete;
  ~GivenFiles();
};

// What the file that is read is called, where libdw asks for the path of a descriptor: "/file.dwp" is then the package
// of its split debug information.
inline constexpr const char* given_path = "/file";

}  // namespace diagnose::target
