// JSON-RPC 2.0, one object a line each way, over a unix socket.  Shared with the client.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace diagnose::control {

inline constexpr const char* default_socket = "/run/diagnose/diagnosed.sock";

// JSON-RPC 2.0 error codes (jsonrpc.org, section 5.1) and ours.
enum class Code : int {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  // The daemon understood and says no; `data` has {what, where, why, mend}, and with several errors or one that points
  // into a text `errors`, a list of {what, where, why, mend, line, column}.
  refused = -32000,
  forbidden = -32001,  // peer is neither root nor in the group
};

struct Request {
  nlohmann::json id;  // null for a notification
  std::string method;
  nlohmann::json params;  // object; empty if absent
};

// Why a line is no request, and the `id` to answer to: null where it could not be read.
struct Malformed {
  Code code;
  std::string why;
  nlohmann::json id;
};
// Batches and positional params are refused; so is nesting beyond limits::yaml_depth, before anything recurses.
[[nodiscard]] tl::expected<Request, Malformed> parse_request(std::string_view line);

// An error with what it points at.
struct PlacedError {
  Error error;
  std::string line;        // the line or expression that `error.where` is in; empty: none is known
  std::size_t column = 0;  // of the place in it: bytes, from 1

  // Most errors point at nothing.
  PlacedError(Error said) : error(std::move(said)) {}  // NOLINT(*-explicit-*)
  PlacedError(Error said, std::string text, std::size_t at)
      : error(std::move(said)), line(std::move(text)), column(at) {}
};

// What a request is refused with.
struct Refusal {
  Error error;                    // all in one, for clients that read one
  std::vector<PlacedError> each;  // every error by itself; empty: `error` is all there is

  Refusal(Error said) : error(std::move(said)) {}  // NOLINT(*-explicit-*)
  Refusal(Error said, std::vector<PlacedError> all) : error(std::move(said)), each(std::move(all)) {}
};

[[nodiscard]] std::string request_line(int id, const std::string& method, const nlohmann::json& params);
[[nodiscard]] std::string result_line(const nlohmann::json& id, const nlohmann::json& result);
[[nodiscard]] std::string error_line(const nlohmann::json& id, Code code, const Refusal& refusal);
[[nodiscard]] std::string notification_line(const std::string& method, std::string_view params);  // JSON text

[[nodiscard]] nlohmann::json to_json(const Error& error);  // {"what","where","why","mend"}
[[nodiscard]] Error error_from_json(const nlohmann::json& json);
[[nodiscard]] PlacedError placed_error_from_json(const nlohmann::json& json);  // "line" and "column" as well

}  // namespace diagnose::control
