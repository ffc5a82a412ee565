// The kernel's grip on one file: the links of one probe there.  All sites of a call hold, or none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "attach/loaded_probe.h"
#include "base/fd.h"
#include "base/result.h"
#include "target/resolver.h"

namespace diagnose::attach {

struct Attachment {
  dev_t device = 0;
  ino_t inode = 0;
  std::optional<pid_t> process;    // nullopt: every process that maps the file, now and later
  std::shared_ptr<Fd> file;        // the very file, held open while probed
  std::vector<std::string> notes;  // functions left out, with the reason
  std::vector<Fd> links;           // closing them detaches, and blocks for RCU: give them to a Detacher
};

// Puts breakpoints on every site of `module`'s functions, in one process or in all.  Loop thread only; takes
// milliseconds. Errors name the process and the reason; nothing stays behind.
[[nodiscard]] Result<Attachment> attach(LoadedProbe& probe, const target::Module& module, std::optional<pid_t> process);

}  // namespace diagnose::attach
