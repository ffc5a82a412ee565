// The service manager's store of file descriptors: what a daemon that is told to stop hands over to the one that is
// started next (systemd: sd_notify(3), FDSTORE=1; sd_listen_fds(3)).  Whoever is started by something else has none.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace diagnose::state {

struct Stored {
  std::string text;             // what the descriptors are; empty: not all was left, or nothing
  std::vector<Fd> descriptors;  // in no order; one that the manager refused is missing
};

// Whether there may be one to take what we leave: NOTIFY_SOCKET is set, and systemd does not say that it keeps nothing.
[[nodiscard]] bool has_fd_store();

// Leaves copies of `descriptors`, and `text`, which goes last: who finds it finds all of them.  Returns when the
// manager has read everything, or fails after `patience`, and what was left until then may or may not be found.
[[nodiscard]] Status leave(const std::string& text, std::span<const int> descriptors,
                           std::chrono::milliseconds patience);

// What an earlier daemon has left.  The manager forgets it: from here on every descriptor is ours alone, and what it
// holds ends with us.  Once a process, before threads start (it clears the environment's LISTEN_FDS).
[[nodiscard]] Stored take_stored();

}  // namespace diagnose::state
