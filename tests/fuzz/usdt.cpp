// Any text as the arguments of a USDT marker.
#include "target/usdt.h"

#include "fuzz/fuzz.h"
#include "target/answer_check.h"

using namespace diagnose;
using namespace diagnose::target;

void fuzz(std::string_view input) {
  DebugInfo info;
  info.types.resize(1);
  info.places.resize(1);
  const SymbolAddress symbols = [](std::string_view name) {
    return name == "known" ? std::optional(LinkAddress{0x4000}) : std::nullopt;
  };
  info.places.front().variables = marker_arguments(input, symbols, info.types);
  DescribeRequest request;
  request.places.resize(1);
  const char* fault = fault_in(info, request);
  if (fault != nullptr) std::fprintf(stderr, "%s\n", fault);
  REQUIRE(fault == nullptr);
  for (const Variable& argument : info.places.front().variables) {
    REQUIRE(!argument.name.empty());
    REQUIRE(!argument.pieces.empty() || !argument.why.empty());
  }
}
