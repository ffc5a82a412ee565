#include "app/survey.h"

#include <utility>

#include "base/limits.h"

namespace diagnose::app {

std::vector<MappedFile> Survey::files(const target::Process& process) const {
  std::vector<MappedFile> files;
  const auto mappings = proc_.mappings(process.pid);
  if (!mappings) return files;
  for (const target::Mapping& mapping : *mappings) {
    auto fd = proc_.open(process.pid, mapping);
    if (!fd) continue;
    files.push_back({.file = std::make_shared<Fd>(std::move(*fd)),
                     .device = mapping.device,
                     .inode = mapping.inode,
                     .path = mapping.path});
  }
  return files;
}

const Result<target::Traits>& Survey::traits(const MappedFile& file) {
  const target::FileStamp stamp = target::FileStamp::of(file.file->get());
  const Key key{file.device, file.inode, stamp.size, stamp.changed_ns};
  if (const auto known = known_.find(key); known != known_.end()) return known->second.traits;
  if (known_.size() >= limits::surveyed_files) known_.clear();
  return known_.emplace(key, Known{reader_.traits(file.file->get(), file.path)}).first->second.traits;
}

Surroundings Survey::around(std::span<const target::Process> processes, bool all_known) {
  Surroundings around;
  around.all_known = all_known;
  for (const target::Process& process : processes) {
    around.filter_may_kill = around.filter_may_kill || (filters_may_kill_ && proc_.seccomp(process.pid));
    const auto mappings = proc_.mappings(process.pid);
    const std::vector<MappedFile> mapped = files(process);
    around.provable = around.provable && mappings && mapped.size() == mappings->size();
    for (const MappedFile& file : mapped) {
      const auto& found = traits(file);
      if (!found) {
        around.provable = false;
        continue;
      }
      if (found->takes_other_stacks && around.other_stacks.empty()) {
        around.other_stacks = file.path + ": " + found->switches_stacks.front();
      }
      around.jumps = around.jumps || found->jumps;
      for (const std::string& reason : found->unwinds) around.unwinds.push_back(file.path + ": " + reason);
      for (const std::string& reason : found->switches_stacks) {
        around.switches_stacks.push_back(file.path + ": " + reason);
      }
    }
  }
  return around;
}

std::vector<Survey::Runtime> Survey::runtimes(const target::Process& process) {
  std::vector<Runtime> found;
  for (MappedFile& file : files(process)) {
    const auto& known = traits(file);
    if (known && !known->catches.empty()) found.push_back({.in = std::move(file), .catches = known->catches});
  }
  return found;
}

}  // namespace diagnose::app
