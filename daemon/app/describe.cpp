#include "app/describe.h"

#include <algorithm>
#include <string>

#include "target/debug_files.h"

namespace diagnose::app {
namespace {

bool at_entry(const target::Function& function) {
  return function.sites.empty() || function.sites.front().kind == target::SiteKind::entry;
}

std::string first_few(const std::vector<std::string>& paths) {
  constexpr std::size_t most = 3;
  std::string text;
  for (std::size_t at = 0; at < std::min(paths.size(), most); ++at) text += (at == 0 ? "" : ", ") + paths[at];
  return paths.size() > most ? text + ", ..." : text;
}

}  // namespace

LinkAddress described_at(const target::Function& function) {
  return at_entry(function) ? function.body.low : function.sites.front().address;
}

Result<target::DebugInfo> describe(target::FileReader& reader, const target::Module& module,
                                   const compile::Names& names) {
  target::DescribeRequest request{.fd = module.file->get(), .name = module.path};
  for (const target::Function& function : module.functions) {
    const bool marker = !function.sites.empty() && function.sites.front().kind == target::SiteKind::usdt;
    request.places.push_back({.at = described_at(function), .entry = at_entry(function), .marker = marker});
  }
  request.members = names.members;
  request.globals = names.globals;
  request.types = names.types;
  request.constants = names.constants;
  auto info = reader.describe(request);
  if (!info || info->present) return info;
  // In a file of its own, which the reader may not open by itself.
  const std::string root =
      module.processes.empty() ? "" : "/proc/" + std::to_string(module.processes.front().pid) + "/root";
  const target::DebugFiles files = target::find_debug_files(
      {.path = module.path, .root = root, .build_id = info->build_id, .debuglink = info->debuglink});
  if (files.fds.empty()) {
    info->missing = "looked for in vain: " + first_few(files.tried);
    return info;
  }
  for (const Fd& fd : files.fds) request.debug_fds.push_back(fd.get());
  request.debug_names = files.names;
  return reader.describe(request);
}

}  // namespace diagnose::app
