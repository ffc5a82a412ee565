// Processes and what they map, from /proc.  No file of a target is parsed here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "spec/spec.h"

namespace diagnose::target {

// One process, safe against pid reuse: the pid with its start time (field 22 of /proc/PID/stat, clock ticks since
// boot).
struct Process {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string comm;
  std::string exe;  // target of /proc/PID/exe, " (deleted)" cut off

  friend bool operator==(const Process&, const Process&) = default;
};

// A file that a process maps executable.
struct Mapping {
  dev_t device = 0;  // as in the maps line
  ino_t inode = 0;
  std::string path;              // as in the maps line, " (deleted)" cut off
  std::string range;             // "55d0..-55d1..": its name in /proc/PID/map_files
  bool executable_file = false;  // the process's own executable
};

// One executable line of /proc/PID/maps.
struct Region {
  MemoryAddress start{};
  MemoryAddress end{};  // first byte behind
  FileOffset offset{};  // of `start` in the file
  dev_t device = 0;
  ino_t inode = 0;    // 0: no file: code made at run time, or the kernel's own
  std::string path;   // " (deleted)" cut off; "[anon]" for memory without a name, else as the kernel calls it: "[vdso]"
  std::string range;  // "55d0..-55d1..": its name in /proc/PID/map_files

  [[nodiscard]] bool holds(MemoryAddress address) const { return address >= start && address < end; }
  // Of an address that the region holds.
  [[nodiscard]] FileOffset offset_of(MemoryAddress address) const {
    return FileOffset{raw(address) - raw(start) + raw(offset)};
  }
  // Where that byte of the file is in memory, or nothing if the region does not map it.
  [[nodiscard]] std::optional<MemoryAddress> address_of(FileOffset at) const;
};

// Where /proc is; tests give a tree of their own.
class ProcFs {
 public:
  explicit ProcFs(std::string root = "/proc") : root_(std::move(root)) {}

  // Thread group leaders only.  Processes that vanish meanwhile are left out.
  [[nodiscard]] std::vector<Process> list() const;
  // Fails with "no such process" for a pid that is not there or is a zombie, and with "not permitted".
  [[nodiscard]] Result<Process> process(pid_t pid) const;
  [[nodiscard]] bool alive(const Process& process) const;
  // Executable file mappings, one per (device, inode), the executable first.
  [[nodiscard]] Result<std::vector<Mapping>> mappings(pid_t pid) const;
  // Every executable line, by address.
  [[nodiscard]] Result<std::vector<Region>> regions(pid_t pid) const;
  // Whether a seccomp filter stands over it, strict mode included; whether it runs with a shadow stack.  False for a
  // process that is gone.
  [[nodiscard]] bool seccomp(pid_t pid) const;
  [[nodiscard]] bool shadow_stack(pid_t pid) const;
  // Tells one program's memory of a process from the next one's: where its arguments are, which exec chooses anew (and
  // a fork does not).  Nothing if it cannot be told.
  [[nodiscard]] std::optional<std::uint64_t> layout(pid_t pid) const;
  // What stands there in its memory.  Fails if any of it is not mapped, and like process().
  [[nodiscard]] Result<std::vector<std::byte>> memory(pid_t pid, MemoryAddress address, std::size_t bytes) const;
  // Opens the very file that is mapped: /proc/PID/exe or map_files/RANGE, checked against (device, inode); falls back
  // to /proc/PID/root/PATH with the same check.  Read-only, close-on-exec.
  [[nodiscard]] Result<Fd> open(pid_t pid, const Mapping& mapping) const;

 private:
  std::string root_;
};

// Does `process` match `target` (by pid, exe path or glob, comm)?  `all` matches every process.
[[nodiscard]] bool matches(const spec::Target& target, const Process& process);

}  // namespace diagnose::target
