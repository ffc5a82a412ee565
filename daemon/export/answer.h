// What is answered to a request: status, headers, body as one text.  The functions in Pages are called from here.
#pragma once

#include <string>

#include "export/http.h"
#include "export/request.h"

namespace diagnose::exporter {

// Ready to be sent.  `close`: the connection ends after it.
[[nodiscard]] std::string answer(const Request& request, const Pages& pages, bool close);

// The answer to bytes that are no request; the connection ends after it.
[[nodiscard]] std::string refusal(int status);

}  // namespace diagnose::exporter
