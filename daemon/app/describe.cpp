#include "app/describe.h"

namespace diagnose::app {
namespace {

bool at_entry(const target::Function& function) {
  return function.sites.empty() || function.sites.front().kind == target::SiteKind::entry;
}

}  // namespace

LinkAddress described_at(const target::Function& function) {
  return at_entry(function) ? function.body.low : function.sites.front().address;
}

Result<target::DebugInfo> describe(target::FileReader& reader, const target::Module& module,
                                   const compile::Names& names) {
  target::DescribeRequest request{.fd = module.file->get(), .name = module.path};
  for (const target::Function& function : module.functions) {
    request.places.push_back({.at = described_at(function), .entry = at_entry(function)});
  }
  request.members = names.members;
  request.globals = names.globals;
  request.types = names.types;
  request.constants = names.constants;
  return reader.describe(request);
}

}  // namespace diagnose::app
