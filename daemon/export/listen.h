// HOST:PORT -> a listening TCP socket.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace diagnose::exporter {

struct Listener {
  Fd socket;            // nonblocking, close-on-exec
  std::string address;  // HOST:PORT as bound, numeric, [V6]:PORT
};

// `listen` is HOST:PORT, [V6]:PORT or :PORT (every address, IPv6 and IPv4; IPv4 alone where the host has no IPv6).
[[nodiscard]] Result<Listener> listen_on(const std::string& listen);

}  // namespace diagnose::exporter
