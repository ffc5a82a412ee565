// spec::Target -> the files and addresses to probe.  Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "spec/spec.h"
#include "target/answer.h"
#include "target/processes.h"

namespace diagnose::target {

// How a file stood when it was read; equal stamps: nobody has written to it meanwhile.
struct FileStamp {
  std::int64_t size = 0;         // bytes
  std::int64_t modified_ns = 0;  // CLOCK_REALTIME
  std::int64_t changed_ns = 0;   // CLOCK_REALTIME

  [[nodiscard]] static FileStamp of(int fd);
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// One file that holds the place, held open for as long as it is probed: no race between check and attach.
struct Module {
  std::shared_ptr<Fd> file;
  FileStamp stamp;  // taken before it was read
  dev_t device = 0;
  ino_t inode = 0;
  std::string path;  // as the target sees it
  std::string build_id;
  std::vector<Function> functions;
  bool is_executable = false;      // the executable of the matched processes, not a library
  std::vector<Process> processes;  // that map it now
};

struct ProcessError {
  Process process;
  Error error;
};

struct Resolution {
  std::vector<Module> modules;
  std::vector<Process> processes;    // that match the target, resolved or not
  std::vector<ProcessError> errors;  // per process; the others go on
  std::vector<std::string> notes;    // for people: refused matches, processes left out
};

// What a probe needs of its functions.
struct Need {
  bool exits = false;
  std::uint16_t entry_registers = every_register;  // see FileRequest
  bool entry_unmoved = false;
  bool entry_memory = true;
  bool exit_memory = true;
  bool inlined = false;  // see FileRequest
  bool nop5_in_body = false;
};

class Resolver {
 public:
  // Borrows both; they must outlive the resolver.
  Resolver(const ProcFs& proc, FileReader& reader) : proc_(proc), reader_(reader) {}

  // Everything that matches now.  No process yet is not an error for `exe`, `comm` and `all`: with `exe` (a plain path)
  // and with a `module` path the file itself is resolved, so that processes to come are measured from their first
  // instruction; otherwise the result is empty.
  // Errors: no such pid; no such function in any file (with the nearest names); two modules of one process have the
  // function (the message lists them); wrong build id; not permitted.
  [[nodiscard]] Result<Resolution> resolve(const spec::Target& target, const Need& need);

  // The same for one process that appeared later.
  [[nodiscard]] Result<Resolution> resolve(const spec::Target& target, const Need& need, const Process& process);

 private:
  const ProcFs& proc_;
  FileReader& reader_;
};

}  // namespace diagnose::target
