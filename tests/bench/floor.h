// The empty BPF program on a site: the floor that no probe can be cheaper than.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

struct floor_bpf;
struct bpf_link;

namespace diagnose::bench {

class Floor {
 public:
  Floor();  // throws std::runtime_error if the kernel takes no such program
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;
  ~Floor();

  void attach(pid_t pid, const std::string& path, std::uint64_t file_offset) {
    attach(pid, path, std::vector<unsigned long>{file_offset}, false);
  }
  // `returning`: on the returns of the functions that begin there, by the kernel's trampoline.
  void attach(pid_t pid, const std::string& path, const std::vector<unsigned long>& file_offsets, bool returning);
  void detach();

 private:
  floor_bpf* program_;
  bpf_link* link_ = nullptr;
};

}  // namespace diagnose::bench
