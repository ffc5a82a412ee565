// Messages over a stream socket between two processes: bytes, and descriptors beside them (SCM_RIGHTS, unix(7)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace diagnose::target {

struct Message {
  std::string bytes;
  std::vector<Fd> descriptors;
};

enum class Transfer {
  done,
  closed,     // the other end has gone
  late,       // `ready` gave up
  malformed,  // what came is no message, or larger than `bytes_max`
};

// Waits until `events` (poll(2)) can be had of the socket; false: gives up.
using Ready = std::function<bool(short events)>;

// The descriptors are borrowed, at most limits::reader_files.  Anything but `done` leaves the socket useless.
[[nodiscard]] Transfer send(int socket, std::string_view bytes, const std::vector<int>& descriptors,
                            const Ready& ready);
// Descriptors that come are close-on-exec; with `descriptors_max` 0 any that come are closed.
[[nodiscard]] Transfer receive(int socket, Message& message, std::size_t bytes_max, std::size_t descriptors_max,
                               const Ready& ready);

}  // namespace diagnose::target
