// What the modules of processes may do with the stack.  Each file is read once for as long as it stays as it is.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "app/strategy.h"
#include "base/fd.h"
#include "target/answer.h"
#include "target/processes.h"
#include "target/resolver.h"

namespace diagnose::app {

// A file that a process maps, open.
struct MappedFile {
  std::shared_ptr<Fd> file;
  dev_t device = 0;
  ino_t inode = 0;
  std::string path;
};

// Loop thread only.  Borrows both.
class Survey {
 public:
  // `filters_may_kill`: a process's system call filter sees the calls that return trampolines make (attach/canary.h).
  Survey(const target::ProcFs& proc, target::FileReader& reader, bool filters_may_kill)
      : proc_(proc), reader_(reader), filters_may_kill_(filters_may_kill) {}

  // Of all `processes` together.  `all_known`: no other process will run the function.
  [[nodiscard]] Surroundings around(std::span<const target::Process> processes, bool all_known);

  // The places in the runtimes of `process` where frames are left without a return.
  struct Runtime {
    MappedFile in;
    std::vector<target::Site> catches;
  };
  [[nodiscard]] std::vector<Runtime> runtimes(const target::Process& process);

  // Every file that `process` maps executable.  Files that cannot be opened are left out.
  [[nodiscard]] std::vector<MappedFile> files(const target::Process& process) const;

 private:
  using Key = std::tuple<dev_t, ino_t, std::int64_t, std::int64_t>;  // with size and time of the last write
  struct Known {
    Result<target::Traits> traits;
  };
  [[nodiscard]] const Result<target::Traits>& traits(const MappedFile& file);

  const target::ProcFs& proc_;
  target::FileReader& reader_;
  bool filters_may_kill_;
  std::map<Key, Known> known_;
};

}  // namespace diagnose::app
