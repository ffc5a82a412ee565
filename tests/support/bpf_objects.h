// What a process holds in the kernel, and what is left of it later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <sys/types.h>

namespace diagnose::test {

// Ids of BPF programs, maps and links.
struct BpfObjects {
  std::set<std::uint32_t> programs;
  std::set<std::uint32_t> maps;
  std::set<std::uint32_t> links;

  void add(const BpfObjects& others);
  [[nodiscard]] bool empty() const { return programs.empty() && maps.empty() && links.empty(); }
  [[nodiscard]] std::string text() const;
  friend bool operator==(const BpfObjects&, const BpfObjects&) = default;
};

// Those that `pid` has a descriptor of, from /proc/PID/fdinfo; none if there is no such process.
[[nodiscard]] BpfObjects bpf_objects_of(pid_t pid);

// Those of `objects` that the host still has, as bpftool lists them.
[[nodiscard]] BpfObjects remaining(const BpfObjects& objects);

// Open descriptors, and resident memory in KiB.
[[nodiscard]] std::size_t descriptors_of(pid_t pid);
[[nodiscard]] long resident_kib_of(pid_t pid);

}  // namespace diagnose::test
