#include "export/request.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <vector>

namespace diagnose::exporter {
namespace {

constexpr int bad_request = 400;
constexpr int head_too_large = 431;
constexpr int version_not_supported = 505;

bool same_word(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The parts of a list, trimmed; quoted strings are not looked into: nothing that matters here has them.
std::vector<std::string_view> parts(std::string_view list, char separator) {
  std::vector<std::string_view> result;
  while (true) {
    const auto end = list.find(separator);
    result.push_back(trimmed(list.substr(0, end)));
    if (end == std::string_view::npos) return result;
    list.remove_prefix(end + 1);
  }
}

bool has_word(std::string_view list, std::string_view word) {
  const auto words = parts(list, ',');
  return std::any_of(words.begin(), words.end(), [&](std::string_view part) { return same_word(part, word); });
}

// tchar of RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x80U && std::isalnum(byte) != 0) || marks.find(c) != std::string_view::npos;
  });
}

// Control bytes in a head are how requests are smuggled past others.
bool is_clean(std::string_view line) {
  return std::none_of(line.begin(), line.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20U && c != '\t') || byte == 0x7fU;
  });
}

// Origin form "/a?b" and absolute form "http://host/a?b" (RFC 9112, 3.2).
std::string path_of(std::string_view target) {
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos) return {};
    const auto slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  return std::string(target.substr(0, target.find('?')));
}

struct Head {
  Request request;
  bool http_1_1 = false;
  int hosts = 0;
  bool close = false;
  bool keep = false;
};

int read_request_line(std::string_view line, Head& head) {
  const auto method_end = line.find(' ');
  const auto target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end + 1) return bad_request;
  const std::string_view method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!is_token(method) || target.find(' ') != std::string_view::npos) return bad_request;
  if (!version.starts_with("HTTP/")) return bad_request;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return version_not_supported;
  head.request.method = method;
  head.request.path = path_of(target);
  head.http_1_1 = version == "HTTP/1.1";
  return 0;
}

int read_field(std::string_view line, Head& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return bad_request;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_word(name, "host")) {
    ++head.hosts;
  } else if (same_word(name, "connection")) {
    head.close = head.close || has_word(value, "close");
    head.keep = head.keep || has_word(value, "keep-alive");
  } else if (same_word(name, "content-length")) {
    std::uint64_t length = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), length);
    if (read.ec != std::errc() || read.ptr != value.data() + value.size()) return bad_request;
    head.request.has_body = head.request.has_body || length > 0;
  } else if (same_word(name, "transfer-encoding")) {
    head.request.has_body = true;
  } else if (same_word(name, "accept")) {
    if (!head.request.accept.empty()) head.request.accept += ',';
    head.request.accept += value;
  }
  return 0;
}

// The next line without its end; a bare LF ends one too (RFC 9112, 2.2).
std::string_view next_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// One past the empty line that ends the head, or npos.
std::size_t head_end(std::string_view bytes) {
  for (auto at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    const std::string_view rest = bytes.substr(at + 1);
    if (rest.starts_with('\n')) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

double quality_of(const std::vector<std::string_view>& range) {
  for (const std::string_view parameter : range) {
    if (parameter.size() < 2 || !same_word(parameter.substr(0, 2), "q=")) continue;
    double quality = 0;
    const std::string_view text = parameter.substr(2);
    if (std::from_chars(text.data(), text.data() + text.size(), quality).ec != std::errc()) return 0;
    return std::clamp(quality, 0.0, 1.0);
  }
  return 1;
}

}  // namespace

Parsed parse_request(std::string_view bytes) {
  // Empty lines before a request are to be ignored (RFC 9112, 2.2).
  std::size_t skipped = 0;
  while (skipped < bytes.size() && (bytes[skipped] == '\r' || bytes[skipped] == '\n')) ++skipped;
  const std::string_view start = bytes.substr(skipped);
  const std::size_t end = head_end(start);
  if (end == std::string_view::npos || skipped + end > request_head_bytes) {
    const bool too_large = end != std::string_view::npos || bytes.size() >= request_head_bytes;
    return {.status = too_large ? head_too_large : 0, .used = 0, .request = {}};
  }
  Head head;
  std::string_view rest = start.substr(0, end);
  const std::string_view request_line = next_line(rest);
  int refused = is_clean(request_line) ? read_request_line(request_line, head) : bad_request;
  while (refused == 0 && !rest.empty()) {
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    refused = is_clean(line) ? read_field(line, head) : bad_request;
  }
  if (refused == 0 && head.http_1_1 && head.hosts != 1) refused = bad_request;  // RFC 9112, 3.2
  head.request.keep_alive = !head.close && (head.http_1_1 || head.keep);
  return {.status = refused == 0 ? 200 : refused, .used = skipped + end, .request = std::move(head.request)};
}

bool wants_open_metrics(std::string_view accept) {
  double open_metrics = 0;
  double text = 0;
  for (const std::string_view element : parts(accept, ',')) {
    const std::vector<std::string_view> range = parts(element, ';');
    if (same_word(range.front(), "application/openmetrics-text")) {
      open_metrics = std::max(open_metrics, quality_of(range));
    } else if (same_word(range.front(), "text/plain")) {
      text = std::max(text, quality_of(range));
    }
  }
  return open_metrics > 0 && open_metrics >= text;
}

}  // namespace diagnose::exporter
