#include "target/describe.h"

namespace diagnose::target {

Result<DebugInfo> describe_places(const DescribeRequest& request) {
  DebugInfo info;
  info.types.resize(1);
  info.missing = request.name;
  return info;
}

Result<ListAnswer> list_functions(const ListRequest& /*request*/) {
  return ListAnswer{};
}

}  // namespace diagnose::target
