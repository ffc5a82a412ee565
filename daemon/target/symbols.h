// Code addresses of processes as people name them.  Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "base/units.h"
#include "target/answer.h"
#include "target/processes.h"

namespace diagnose::target {

// Remembers the maps of processes, for a moment and when they have gone, and the functions of files, by (device,
// inode): each file is read once for each function that is met.  Bounded by limits::symbolized_processes and
// symbols_kept.
class Symbols {
 public:
  // What stands at an address.  Of a return address the call in front of it is meant.
  enum class Kind { instruction, return_address };

  // Borrows both; they must outlive it.
  Symbols(const ProcFs& proc, FileReader& reader) : proc_(proc), reader_(reader) {}

  // One name for each address, in the same order: "shop::Cart::checkout+0x1f (shop_server)"; without a symbol
  // "0x7f3a12345678 (libssl.so.3)"; outside of every file, or of a process that was gone before it was looked at, the
  // address alone.
  [[nodiscard]] std::vector<std::string> names(pid_t pid, std::span<const MemoryAddress> addresses,
                                               std::span<const Kind> kinds);
  [[nodiscard]] std::string name(pid_t pid, MemoryAddress address, Kind kind);

 private:
  using Clock = std::chrono::steady_clock;
  using FileKey = std::pair<dev_t, ino_t>;
  struct Maps {
    std::vector<Region> regions;  // by address
    Clock::time_point read_at;
  };
  struct Function {
    std::uint64_t end = 0;  // file offset behind its last byte
    std::string name;       // empty: no symbol covers this
  };
  using Functions = std::map<std::uint64_t, Function>;  // by the file offset of the first byte

  const Maps& maps_of(pid_t pid, bool missed);
  [[nodiscard]] static const Region* region_of(const Maps& maps, MemoryAddress address);
  void learn(pid_t pid, const Region& region, const std::vector<FileOffset>& offsets);
  [[nodiscard]] const Functions::value_type* function_at(const Region& region, FileOffset offset) const;
  [[nodiscard]] std::string text(const Region* region, MemoryAddress address, Kind kind) const;

  const ProcFs& proc_;
  FileReader& reader_;
  std::map<pid_t, Maps> processes_;
  std::map<FileKey, Functions> files_;
  std::size_t kept_ = 0;  // functions in files_
};

}  // namespace diagnose::target
