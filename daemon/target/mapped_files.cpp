#include "target/mapped_files.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <set>
#include <utility>

#include "target/module_pattern.h"

namespace diagnose::target {
namespace {

Error cannot_look(const spec::Target& target, std::string where, std::string why, std::string mend) {
  return {.what = "look into `" + target.text() + "`",
          .where = std::move(where),
          .why = std::move(why),
          .mend = std::move(mend)};
}

Result<MappedFile> opened(const spec::Target& target, const std::string& path, bool is_executable) {
  auto file = std::make_shared<Fd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!*file) return failure(cannot_look(target, path, errno_text(errno), "check the path"));
  return MappedFile{.file = std::move(file), .path = canonical(path), .root = {}, .is_executable = is_executable};
}

Result<std::vector<Process>> processes_of(const ProcFs& proc, const spec::Target& target) {
  if (target.by != spec::TargetBy::pid) {
    spec::Target sought = target;
    if (sought.by == spec::TargetBy::exe && is_plain_path(sought.pattern)) sought.pattern = canonical(sought.pattern);
    auto processes = proc.list();
    std::erase_if(processes, [&](const Process& process) { return !matches(sought, process); });
    return processes;
  }
  std::vector<Process> processes;
  for (const pid_t pid : target.pids) {
    auto process = proc.process(pid);
    if (!process) return failure(process.error());
    processes.push_back(std::move(*process));
  }
  return processes;
}

}  // namespace

Result<std::vector<MappedFile>> mapped_files(const ProcFs& proc, const spec::Target& target) {
  const ModulePattern module(target.module);
  auto processes = processes_of(proc, target);
  if (!processes) return failure(processes.error());
  std::vector<MappedFile> files;
  std::set<std::pair<dev_t, ino_t>> seen;
  std::optional<Error> first;
  const auto note = [&](const Error& error) {
    if (!first) first = error;
  };
  for (const Process& process : *processes) {
    const auto mappings = proc.mappings(process.pid);
    if (!mappings) {
      note(mappings.error());
      continue;
    }
    for (const Mapping& mapping : *mappings) {
      if (!module.matches(mapping.path) || !seen.insert({mapping.device, mapping.inode}).second) continue;
      auto file = proc.open(process.pid, mapping);
      if (!file) {
        note(file.error());
        continue;
      }
      files.push_back({.file = std::make_shared<Fd>(std::move(*file)),
                       .path = mapping.path,
                       .root = "/proc/" + std::to_string(process.pid) + "/root",
                       .is_executable = mapping.executable_file});
    }
  }
  if (files.empty()) {
    const bool by_file = target.by == spec::TargetBy::exe && target.module.empty() && is_plain_path(target.pattern);
    const bool by_module = target.by != spec::TargetBy::pid && is_plain_path(target.module);
    if (by_file || by_module) {
      auto file = opened(target, by_file ? target.pattern : target.module, by_file);
      if (!file) return failure(file.error());
      files.push_back(std::move(*file));
      return files;
    }
    if (first) return failure(*first);
    return failure(
        cannot_look(target, "", processes->empty() ? "no process matches" : "no process maps `" + target.module + "`",
                    processes->empty() ? "start it, or give the file's path" : "see /proc/PID/maps for what it maps"));
  }
  std::stable_partition(files.begin(), files.end(), [](const MappedFile& file) { return file.is_executable; });
  return files;
}

}  // namespace diagnose::target
