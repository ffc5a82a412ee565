// /metrics, /-/healthy, /-/ready and /: the only folder that names prometheus:: and speaks HTTP.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "metrics/registry.h"

namespace diagnose::exporter {

// Text format 0.0.4 through prometheus-cpp's serializer.
[[nodiscard]] std::string text_format(const std::vector<metrics::Family>& families);
// OpenMetrics 1.0.0.
[[nodiscard]] std::string open_metrics(const std::vector<metrics::Family>& families);

struct Pages {
  std::function<std::vector<metrics::Family>()> metrics;
  std::function<bool()> ready;
  std::function<std::string()> index;  // text/plain: what is attached
};

// HTTP/1.1, GET and HEAD.  Serves until destroyed, on one thread of its own with all signals blocked: the functions in
// `pages` are called there.  It sleeps until somebody connects: no polling, no timer while nobody is connected.
// Bounded: connections, size of a request, time for a request and for taking its answer; a slow client holds up nobody.
class HttpServer {
 public:
  // `listen` is HOST:PORT, [V6]:PORT or :PORT (every address, IPv6 and IPv4); port 0 takes any free one.  Fails with
  // "address in use" and the like.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(const std::string& listen, Pages pages);
  virtual ~HttpServer() = default;
  [[nodiscard]] virtual std::string address() const = 0;  // HOST:PORT as bound
};

}  // namespace diagnose::exporter
