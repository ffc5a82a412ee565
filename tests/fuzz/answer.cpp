// Any bytes as what a sandboxed reader that has been taken over might answer, and any bytes as a request.  The first
// byte says what is expected.
#include <vector>

#include "fuzz/fuzz.h"
#include "target/answer_check.h"
#include "target/reader_wire.h"

using namespace diagnose;
using namespace diagnose::target;

namespace {

constexpr std::size_t memory = 16U << 20U;

template <typename Request, typename Answer>
void decode(std::string_view bytes) {
  Answer answer{};
  wire::Reader in(bytes, memory);
  in(answer);
  if (in.done()) {
    (void)fault_in(answer, Request{});
    wire::Writer out;
    out(answer);
    REQUIRE(out.bytes() == bytes);
  }
  const std::vector<Fd> files(8);  // as many as a seed brings, and more
  Request request{};
  wire::Reader other(bytes, memory, files);
  other(request);
}

}  // namespace

void fuzz(std::string_view input) {
  if (input.empty()) return;
  const auto verb = static_cast<Verb>(input.front() & 7);
  input.remove_prefix(1);
  switch (verb) {
    case Verb::read:
      return decode<FileRequest, FileAnswer>(input);
    case Verb::callers:
      return decode<CallersRequest, CallersAnswer>(input);
    case Verb::return_sites:
      return decode<ReturnSitesRequest, std::vector<ReturnSite>>(input);
    case Verb::traits:
      return decode<TraitsRequest, Traits>(input);
    case Verb::describe:
      return decode<DescribeRequest, DebugInfo>(input);
    case Verb::list:
      return decode<ListRequest, ListAnswer>(input);
    case Verb::symbolize:
      return decode<SymbolizeRequest, std::vector<Symbolized>>(input);
    case Verb::identify:
      return decode<IdentityRequest, Identity>(input);
  }
}
