#include "export/answer.h"

#include <ctime>
#include <exception>

namespace diagnose::exporter {
namespace {

constexpr const char* plain = "text/plain; charset=utf-8";
constexpr const char* text_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* open_metrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Response {
  int status = 200;
  const char* type = plain;
  std::string body;
};

const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

// RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".  The daemon never leaves the C locale.
std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  (void)::gmtime_r(&now, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

std::string assembled(const Response& response, bool with_body, bool close) {
  std::string text;
  text.reserve(512 + (with_body ? response.body.size() : 0));
  text += "HTTP/1.1 " + std::to_string(response.status) + " " + reason(response.status) + "\r\n";
  text += "Date: " + http_date() + "\r\n";
  text += std::string("Content-Type: ") + response.type + "\r\n";
  text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  text += "X-Content-Type-Options: nosniff\r\n";
  if (response.status == 405) text += "Allow: GET, HEAD\r\n";
  text += close ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n";
  if (with_body) text += response.body;
  return text;
}

Response page(const Request& request, const Pages& pages) {
  if (request.method != "GET" && request.method != "HEAD") {
    return {.status = 405, .body = "405 method not allowed: GET and HEAD only\n"};
  }
  if (request.path == "/metrics") {
    const bool open = wants_open_metrics(request.accept);
    const std::vector<metrics::Family> families = pages.metrics();
    return {.type = open ? open_metrics_type : text_type,
            .body = open ? open_metrics(families) : text_format(families)};
  }
  if (request.path == "/-/healthy") return {.body = "healthy\n"};
  if (request.path == "/-/ready") {
    if (pages.ready()) return {.body = "ready\n"};
    return {.status = 503, .body = "starting\n"};
  }
  if (request.path == "/") return {.body = pages.index()};
  return {.status = 404, .body = "404 not found: /metrics, /-/healthy, /-/ready and / are here\n"};
}

}  // namespace

std::string answer(const Request& request, const Pages& pages, bool close) {
  Response response;
  try {
    response = page(request, pages);
  } catch (const std::exception& failed) {  // memory, above all; the thread must live
    response = {.status = 500, .body = "500 " + std::string(failed.what()) + "\n"};
  }
  return assembled(response, request.method != "HEAD", close);
}

std::string refusal(int status) {
  return assembled({.status = status, .body = std::to_string(status) + " " + reason(status) + "\n"}, true, true);
}

}  // namespace diagnose::exporter
