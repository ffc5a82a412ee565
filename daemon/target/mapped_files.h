// The files that a target's processes run, whatever functions they have.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "spec/spec.h"
#include "target/processes.h"

namespace diagnose::target {

struct MappedFile {
  std::shared_ptr<Fd> file;  // open for reading
  std::string path;          // as the target sees it
  std::string root;          // where its paths begin, as in Surroundings
  bool is_executable = false;
};

// Each once, executables first.  A plain path as `module`, or as `exe` of a program that nobody runs, is the file
// itself. Fails where there is none: no such process, none that matches, no module of that name, not permitted.
[[nodiscard]] Result<std::vector<MappedFile>> mapped_files(const ProcFs& proc, const spec::Target& target);

}  // namespace diagnose::target
