// Any line at the control socket, and any answer at the client's end.
#include "control/protocol.h"
#include "fuzz/fuzz.h"

using namespace diagnose;

void fuzz(std::string_view input) {
  const auto request = control::parse_request(input);
  if (!request) {
    REQUIRE(!request.error().why.empty());
    const Error error{.what = "read", .where = {}, .why = request.error().why, .mend = {}};
    const std::string line = control::error_line(request.error().id, request.error().code, error);
    REQUIRE(line.ends_with('\n') && line.find('\n') == line.size() - 1);
    return;
  }
  REQUIRE(!request->method.empty() && request->params.is_object());
  const std::string line = control::result_line(request->id, request->params);
  REQUIRE(line.ends_with('\n') && line.find('\n') == line.size() - 1);
  REQUIRE(!control::notification_line(request->method,
                                      request->params.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
               .empty());
  (void)control::error_from_json(request->params).text();
}
