// Plain sockets: asking an HTTP server, and speaking to the control socket without the client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"

namespace diagnose::test {

struct HttpAnswer {
  int status = 0;
  std::string headers;
  std::string body;
};

// nullopt if nobody listens, or the answer is no HTTP.
[[nodiscard]] std::optional<HttpAnswer> http_get(std::uint16_t port, const std::string& path,
                                                 const std::string& extra_headers = "");

// A TCP port on loopback that is free now.
[[nodiscard]] std::uint16_t free_port();
// Takes `port` on loopback until the result dies.
[[nodiscard]] Fd occupy(std::uint16_t port);

// One connection to a unix socket, line by line.
class UnixClient {
 public:
  // Empty Fd inside if nobody listens.
  explicit UnixClient(const std::string& path);
  [[nodiscard]] bool connected() const { return static_cast<bool>(socket_); }
  bool send(const std::string& bytes);
  // The next line; nullopt at the end of the connection or after 5 s.
  std::optional<std::string> line();

 private:
  Fd socket_;
  std::string unread_;
};

}  // namespace diagnose::test
