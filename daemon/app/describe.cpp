#include "app/describe.h"

#include <string>

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
  if (!module.processes.empty()) {
    request.around.root = "/proc/" + std::to_string(module.processes.front().pid) + "/root";
  }
  request.around.fetch = true;
  for (const target::Function& function : module.functions) {
    const bool marker = !function.sites.empty() && function.sites.front().kind == target::SiteKind::usdt;
    request.places.push_back({.at = described_at(function), .entry = at_entry(function), .marker = marker});
  }
  request.members = names.members;
  request.globals = names.globals;
  request.types = names.types;
  request.constants = names.constants;
  return reader.describe(request);
}

}  // namespace diagnose::app
