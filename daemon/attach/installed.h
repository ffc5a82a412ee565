// What really stands in a process's memory where breakpoints are, or are to be (hazards 4 and 9): "attached" does not
// say so.
//
// The order in which an attachment is safe: open the file; take its lease, if the breakpoints are for every process
// (lease.h); read it through that descriptor; same_code(); link_sites(); standing().
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "target/answer.h"
#include "target/processes.h"

namespace diagnose::attach {

enum class Standing {
  installed,  // a breakpoint (int3), or the call that an optimised one is (e8), and else the file's bytes
  absent,     // the file's bytes: no breakpoint yet
  different,  // something else: the process runs other code than the file has
};

// Sites of one process by what stands there.
struct Standings {
  std::size_t installed = 0;
  std::size_t absent = 0;
  std::size_t different = 0;
  std::size_t unmapped = 0;  // the process does not map them, or not that memory's file

  [[nodiscard]] std::size_t looked_at() const { return installed + absent + different; }
};

// Compares `memory`, as many bytes as the instruction of `site` has, with the file's.
[[nodiscard]] Standing standing(std::span<const std::byte> memory, const target::Site& site);

// Reads back what stands at the sites of `functions` of the file (device, inode) in process `pid`.  Up to 64 functions
// all sites, beyond that the entry of each, and no more than limits::sites_read_back.  Any thread.  Fails if the
// process has gone or may not be read.
[[nodiscard]] Result<Standings> standings(const target::ProcFs& proc, pid_t pid, dev_t device, ino_t inode,
                                          std::span<const target::Function> functions);

// Before attaching: fails with "memory differs from the file" if the process runs other code there than was read from
// the file.  Somebody else's breakpoint is no difference.  `path` is for messages.
[[nodiscard]] Status same_code(const target::ProcFs& proc, pid_t pid, dev_t device, ino_t inode,
                               std::span<const target::Function> functions, const std::string& path);

}  // namespace diagnose::attach
