// The kernel's own account of BPF links.
#pragma once

#include <cstdint>
#include <set>
#include <sys/types.h>

namespace diagnose::test {

// Ids of the BPF links that process `pid` holds, from /proc/PID/fdinfo (`link_id:`); empty if there is no such process.
[[nodiscard]] std::set<std::uint32_t> links_of(pid_t pid);

// Ids of every BPF link of the host, as `bpftool link` lists them.
[[nodiscard]] std::set<std::uint32_t> links_of_host();

// How many of `ids` the host still has.
[[nodiscard]] std::size_t still_there(const std::set<std::uint32_t>& ids);

}  // namespace diagnose::test
