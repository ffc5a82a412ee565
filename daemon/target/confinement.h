// What a process gives up before it reads hostile files.
#pragma once

#include <cstdint>

#include "base/limits.h"
#include "base/result.h"

namespace diagnose::target {

struct Confinement {
  std::uint64_t memory_bytes = limits::reader_memory_bytes;  // of address space
};

// For good, in this order: it dies with its parent; every descriptor but `socket` and 0 to 2 is closed; memory, number
// of descriptors, processor time, core files and files written are limited; it cannot be traced by its like; no
// capabilities, no new privileges; and a seccomp filter lets it read, take memory, and use its socket.  A file that it
// tries to open is refused with EACCES, but for those that it was given (given_files.h); anything else kills it.  Call
// with one thread. Fails if any part of it cannot be had (the bounding set apart, which needs CAP_SETPCAP and is worth
// nothing without new privileges); the process must then not go on.
[[nodiscard]] Status confine(int socket, const Confinement& confinement);

}  // namespace diagnose::target
