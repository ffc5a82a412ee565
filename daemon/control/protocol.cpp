#include "control/protocol.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/limits.h"

namespace diagnose::control {

namespace {

using nlohmann::json;

// Nesting of arrays and objects in `text`, strings left out.  Known before parsing, because copying, printing and
// destroying a deep value recurse.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  bool escaped = false;
  for (const char c : text) {
    if (in_string) {
      if (escaped) {
        escaped = false;
      } else if (c == '\\') {
        escaped = true;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

tl::unexpected<Malformed> malformed(Code code, std::string why, json id = nullptr) {
  return tl::unexpected(Malformed{.code = code, .why = std::move(why), .id = std::move(id)});
}

tl::expected<json, Malformed> parse_json(std::string_view line) {
  if (depth_of(line) > limits::yaml_depth) {
    return malformed(Code::parse_error,
                     "nested deeper than " + std::to_string(limits::yaml_depth) + " arrays and objects");
  }
  try {
    return json::parse(line);
  } catch (const json::parse_error& error) {
    return malformed(Code::parse_error, "not JSON from byte " + std::to_string(error.byte) + " on");
  } catch (const json::exception&) {  // a number that no double holds
    return malformed(Code::parse_error, "not JSON: a number is out of range");
  }
}

// Names of commands and files can hold any bytes; what is not UTF-8 is shown as U+FFFD.
std::string line_of(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

tl::expected<Request, Malformed> parse_request(std::string_view line) {
  auto parsed = parse_json(line);
  if (!parsed) return tl::unexpected(std::move(parsed.error()));
  json& object = *parsed;
  if (object.is_array()) return malformed(Code::invalid_request, "batches are not served: send one request a line");
  if (!object.is_object()) return malformed(Code::invalid_request, "a request is an object");

  Request request{.id = nullptr, .method = {}, .params = json::object()};
  if (const auto id = object.find("id"); id != object.end()) {
    if (!id->is_null() && !id->is_string() && !id->is_number()) {
      return malformed(Code::invalid_request, "`id` must be a number or a string");
    }
    request.id = *id;
  }
  const auto version = object.find("jsonrpc");
  if (version == object.end() || *version != "2.0") {
    return malformed(Code::invalid_request, "`jsonrpc` must be \"2.0\"", request.id);
  }
  request.method = text_at(object, "method");
  if (request.method.empty()) {
    return malformed(Code::invalid_request, "`method` must be the name of one", request.id);
  }
  if (const auto params = object.find("params"); params != object.end() && !params->is_null()) {
    if (!params->is_object()) {
      return malformed(Code::invalid_params, "`params` must be an object: they go by name", request.id);
    }
    request.params = std::move(*params);
  }
  return request;
}

std::string request_line(int id, const std::string& method, const json& params) {
  return line_of({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}});
}

std::string result_line(const json& id, const json& result) {
  return line_of({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
}

std::string error_line(const json& id, Code code, const Refusal& refusal) {
  json told = to_json(refusal.error);
  for (const PlacedError& one : refusal.each) {
    json each = to_json(one.error);
    if (one.column > 0) {
      each["line"] = one.line;
      each["column"] = one.column;
    }
    told["errors"].push_back(std::move(each));
  }
  return line_of(
      {{"jsonrpc", "2.0"},
       {"id", id},
       {"error", {{"code", static_cast<int>(code)}, {"message", refusal.error.text()}, {"data", std::move(told)}}}});
}

std::string notification_line(const std::string& method, std::string_view params) {
  std::string line = R"({"jsonrpc":"2.0","method":)" + json(method).dump() + R"(,"params":)";
  line += params;
  line += "}\n";
  return line;
}

json to_json(const Error& error) {
  return {{"what", error.what}, {"where", error.where}, {"why", error.why}, {"mend", error.mend}};
}

Error error_from_json(const json& object) {
  if (!object.is_object()) return Error{.what = {}, .where = {}, .why = "an error without words", .mend = {}};
  return Error{.what = text_at(object, "what"),
               .where = text_at(object, "where"),
               .why = text_at(object, "why"),
               .mend = text_at(object, "mend")};
}

PlacedError placed_error_from_json(const json& object) {
  PlacedError placed = error_from_json(object);
  if (!object.is_object()) return placed;
  const auto column = object.find("column");
  if (column == object.end() || !column->is_number_unsigned()) return placed;
  placed.line = text_at(object, "line");
  placed.column = column->get<std::size_t>();
  return placed;
}

}  // namespace diagnose::control
