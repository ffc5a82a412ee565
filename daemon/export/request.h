// One HTTP/1.x request head, read from hostile bytes, and what the peer wants back.  Pure; RFC 9110 and 9112 by
// section.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace diagnose::exporter {

inline constexpr std::size_t request_head_bytes = 8192;  // a scraper sends some 300; beyond: 431 and the end

struct Request {
  std::string method;
  std::string path;        // without query; "" for forms that name no path
  std::string accept;      // the Accept fields joined by ","
  bool keep_alive = true;  // the peer would send another request on this connection (RFC 9112, 9.3)
  bool has_body = false;   // never read: the connection ends after the answer
};

// `status` is 0 while more bytes are needed, 200 for a request, else the status to refuse it with.  `used` is the
// length of the head.
struct Parsed {
  int status = 0;
  std::size_t used = 0;
  Request request;
};
[[nodiscard]] Parsed parse_request(std::string_view bytes);

// Does the Accept header prefer OpenMetrics to the text format?  (RFC 9110, 12.5.1; a tie goes to OpenMetrics, which
// the peer had to name.)
[[nodiscard]] bool wants_open_metrics(std::string_view accept);

}  // namespace diagnose::exporter
