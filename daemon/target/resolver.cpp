#include "target/resolver.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <utility>

#include "base/limits.h"
#include "target/module_pattern.h"

namespace diagnose::target {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

PlaceBy place_by(spec::PlaceBy written) {
  switch (written) {
    case spec::PlaceBy::function:
      return PlaceBy::function;
    case spec::PlaceBy::address:
      return PlaceBy::address;
    case spec::PlaceBy::line:
      return PlaceBy::line;
    case spec::PlaceBy::usdt:
      return PlaceBy::usdt;
  }
  return PlaceBy::function;
}

// How a place is missed, and where else to look.
struct Missing {
  const char* why;
  const char* mend;
};

Missing missing(spec::PlaceBy place) {
  switch (place) {
    case spec::PlaceBy::function:
      return {"no such function", "check the name with `nm -C`, or use a glob"};
    case spec::PlaceBy::address:
      return {"no code there", "give an address as `objdump -d` prints it"};
    case spec::PlaceBy::line:
      return {"no code of that line", "check the file's name with `readelf --debug-dump=decodedline`"};
    case spec::PlaceBy::usdt:
      return {"no such marker", "list the file's markers with `readelf -n`"};
  }
  return {"no such function", ""};
}

// One target being resolved.  Each file is opened and read once, however many processes map it.
class Resolving {
 public:
  Resolving(const ProcFs& proc, FileReader& reader, const spec::Target& target, const Need& need)
      : proc_(proc), reader_(reader), target_(target), need_(need), module_(target.module) {}

  // `follow`: a process that appeared later may lack the place without that being the target's fault.
  Result<Resolution> run(std::vector<Process> processes, bool follow);
  void lost(Process process, Error error) { result_.errors.push_back({std::move(process), std::move(error)}); }
  void note(std::string text) { result_.notes.push_back(std::move(text)); }

 private:
  struct File {
    std::shared_ptr<Fd> fd;
    FileStamp stamp;
    std::optional<FileAnswer> answer;
    std::optional<Error> error;
    std::optional<std::size_t> module;  // index in result_.modules
  };
  using Key = std::pair<dev_t, ino_t>;

  File& file(pid_t pid, const Mapping& mapping);
  void read(File& file, const std::string& path, const Surroundings& around);
  [[nodiscard]] Status resolve_process(const Process& process);
  [[nodiscard]] Status resolve_path(const std::string& path, bool is_executable);
  void take(File& file, const Mapping& mapping, const Process* process);
  [[nodiscard]] Error not_found(const std::vector<std::pair<std::string, const File*>>& searched) const;
  [[nodiscard]] std::string wanted() const { return "find `" + target_.place_text() + "`"; }

  const ProcFs& proc_;
  FileReader& reader_;
  const spec::Target& target_;
  Need need_;
  ModulePattern module_;
  std::map<Key, File> files_;
  Resolution result_;
};

void Resolving::read(File& file, const std::string& path, const Surroundings& around) {
  file.stamp = FileStamp::of(file.fd->get());
  auto answer = reader_.read({.fd = file.fd->get(),
                              .name = path,
                              .by = place_by(target_.place_by),
                              .function = target_.function.text,
                              .address = target_.address,
                              .line = target_.line,
                              .inlined = need_.inlined,
                              .around = around,
                              .build_id = target_.build_id,
                              .exits = need_.exits,
                              .entry_registers = need_.entry_registers,
                              .entry_unmoved = need_.entry_unmoved,
                              .entry_memory = need_.entry_memory,
                              .exit_memory = need_.exit_memory,
                              .nop5_in_body = need_.nop5_in_body,
                              .functions_max = 0});
  if (!answer) {
    file.error = std::move(answer.error());
    return;
  }
  for (const std::string& refused : answer->refused) note("not probed in " + path + ": " + refused);
  file.answer = std::move(*answer);
}

Resolving::File& Resolving::file(pid_t pid, const Mapping& mapping) {
  const auto [at, added] = files_.try_emplace({mapping.device, mapping.inode});
  File& file = at->second;
  if (!added && !(file.error && !file.fd)) return file;  // not opened through an earlier process: try this one
  auto fd = proc_.open(pid, mapping);
  if (!fd) {
    file.error = std::move(fd.error());
    return file;
  }
  file.error.reset();
  file.fd = std::make_shared<Fd>(std::move(*fd));
  read(file, mapping.path,
       {.root = "/proc/" + std::to_string(pid) + "/root", .fetch = mapping.executable_file || !target_.module.empty()});
  return file;
}

void Resolving::take(File& file, const Mapping& mapping, const Process* process) {
  if (!file.module) {
    file.module = result_.modules.size();
    Module module;
    module.file = file.fd;
    module.stamp = file.stamp;
    module.device = mapping.device;
    module.inode = mapping.inode;
    module.path = mapping.path;
    module.build_id = file.answer->build_id;
    module.functions = std::move(file.answer->functions);
    module.is_executable = mapping.executable_file;
    result_.modules.push_back(std::move(module));
  }
  if (process != nullptr) result_.modules[*file.module].processes.push_back(*process);
}

Error Resolving::not_found(const std::vector<std::pair<std::string, const File*>>& searched) const {
  const auto [none, look] = missing(target_.place_by);
  Error error{.what = wanted(), .where = {}, .why = none, .mend = {}};
  if (searched.empty()) {
    error.why = target_.module.empty() ? "the process maps no program" : "the process maps no `" + target_.module + "`";
    error.mend = "see /proc/PID/maps for what it maps";
    return error;
  }
  error.where = searched.front().first;
  const File& first = *searched.front().second;
  // A file that could not be read at all says more than that others lack the name.
  if (first.error) return *first.error;
  if (first.answer && !first.answer->refused.empty()) {
    error.why = "it cannot be probed: " + first.answer->refused.front();
    return error;
  }
  const bool by_name = target_.place_by == spec::PlaceBy::function;
  if (by_name && first.answer && first.answer->stripped) {
    error.why += "; the file is stripped, only its exported names are known";
  }
  if (first.answer && !first.answer->absent.empty()) error.why += "; " + first.answer->absent;
  std::vector<std::string> near;
  for (const auto& [path, file] : searched) {
    if (!file->answer) continue;
    if (!file->answer->refused.empty()) {
      error.where = path;
      error.why = "it cannot be probed: " + file->answer->refused.front();
      return error;
    }
    for (const std::string& name : file->answer->nearest) {
      if (near.size() < 3 && std::find(near.begin(), near.end(), name) == near.end()) near.push_back(name);
    }
  }
  error.mend = near.empty() ? look : "did you mean " + joined(near) + "?";
  return error;
}

Status Resolving::resolve_process(const Process& process) {
  auto mappings = proc_.mappings(process.pid);
  if (!mappings) return failure(mappings.error());
  std::vector<std::pair<std::string, const File*>> searched;
  std::vector<std::pair<File*, const Mapping*>> found;
  for (const Mapping& mapping : *mappings) {
    if (!module_.matches(mapping.path)) continue;
    File& candidate = file(process.pid, mapping);
    searched.emplace_back(mapping.path, &candidate);
    if (candidate.module || (candidate.answer && !candidate.answer->functions.empty())) {
      found.emplace_back(&candidate, &mapping);
    }
    // The executable comes first and hides what libraries have of the same name, as the dynamic linker does; a match
    // there that cannot be probed is still the one that was meant.
    const bool refused_there = candidate.answer && !candidate.answer->refused.empty();
    if (target_.module.empty() && mapping.executable_file && (!found.empty() || refused_there)) break;
  }
  // A process that does not map the library is none of `all`'s business.
  if (searched.empty() && target_.by == spec::TargetBy::all) return {};
  if (found.empty()) {
    Error error = not_found(searched);
    if (error.where.empty()) error.where = "pid " + std::to_string(process.pid) + " (" + process.comm + ")";
    return failure(std::move(error));
  }
  if (found.size() > 1) {
    std::vector<std::string> paths;
    for (const auto& [candidate, mapping] : found) paths.push_back(mapping->path);
    return failure({.what = wanted(),
                    .where = "pid " + std::to_string(process.pid) + " (" + process.comm + ")",
                    .why = "several modules of the process have it: " + joined(paths),
                    .mend = "say which with `module:`"});
  }
  take(*found.front().first, *found.front().second, &process);
  return {};
}

// The file itself, mapped by nobody yet.
Status Resolving::resolve_path(const std::string& path, bool is_executable) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    const int error_number = errno;
    return failure({.what = wanted(),
                    .where = path,
                    .why = errno_text(error_number),
                    .mend = error_number == EACCES ? "give the daemon the right to read the file" : "check the path"});
  }
  const Mapping mapping{.device = status.st_dev,
                        .inode = status.st_ino,
                        .path = canonical(path),
                        .range = {},
                        .executable_file = is_executable};
  File file;
  file.fd = std::make_shared<Fd>(std::move(fd));
  read(file, mapping.path, {.root = {}, .fetch = true});
  if (!file.answer || file.answer->functions.empty()) {
    Error error = not_found({{mapping.path, &file}});
    if (is_executable && file.answer && file.answer->refused.empty()) {
      error.why += "; no process runs it yet, so its libraries are not known";
      if (file.answer->nearest.empty()) error.mend = "give the library as `module:`";
    }
    return failure(std::move(error));
  }
  take(file, mapping, nullptr);
  return {};
}

Result<Resolution> Resolving::run(std::vector<Process> processes, bool follow) {
  if (processes.size() > limits::processes_per_probe) {
    note("left out: " + std::to_string(processes.size() - limits::processes_per_probe) +
         " processes beyond the limit of " + std::to_string(limits::processes_per_probe));
    processes.resize(limits::processes_per_probe);
  }
  std::optional<Error> first;
  for (const Process& process : processes) {
    auto resolved = resolve_process(process);
    if (resolved) continue;
    if (!proc_.alive(process)) continue;  // it vanished meanwhile
    if (!first) first = resolved.error();
    lost(process, std::move(resolved.error()));
  }
  result_.processes = std::move(processes);
  if (!result_.modules.empty()) return std::move(result_);
  const bool by_name = target_.by != spec::TargetBy::pid;
  if (by_name && !follow && is_plain_path(target_.module)) {
    if (auto resolved = resolve_path(target_.module, false); !resolved) return failure(resolved.error());
    return std::move(result_);
  }
  if (result_.processes.empty() && by_name && !follow && target_.by == spec::TargetBy::exe && target_.module.empty() &&
      is_plain_path(target_.pattern)) {
    if (auto resolved = resolve_path(target_.pattern, true); !resolved) return failure(resolved.error());
    return std::move(result_);
  }
  if (first) return failure(std::move(*first));
  return std::move(result_);
}

}  // namespace

FileStamp FileStamp::of(int fd) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  return {.size = status.st_size,
          .modified_ns = status.st_mtim.tv_sec * second_ns + status.st_mtim.tv_nsec,
          .changed_ns = status.st_ctim.tv_sec * second_ns + status.st_ctim.tv_nsec};
}

Result<Resolution> Resolver::resolve(const spec::Target& target, const Need& need) {
  Resolving resolving(proc_, reader_, target, need);
  std::vector<Process> processes;
  if (target.by == spec::TargetBy::pid) {
    std::optional<Error> first;
    for (const pid_t pid : target.pids) {
      auto process = proc_.process(pid);
      if (process) {
        processes.push_back(std::move(*process));
        continue;
      }
      if (!first) first = process.error();
      Process missing;
      missing.pid = pid;
      resolving.lost(std::move(missing), std::move(process.error()));
    }
    if (processes.empty() && first) return failure(std::move(*first));
    return resolving.run(std::move(processes), false);
  }
  processes = proc_.list();
  spec::Target sought = target;
  if (sought.by == spec::TargetBy::exe && is_plain_path(sought.pattern)) sought.pattern = canonical(sought.pattern);
  std::erase_if(processes, [&](const Process& process) { return !matches(sought, process); });
  return resolving.run(std::move(processes), false);
}

Result<Resolution> Resolver::resolve(const spec::Target& target, const Need& need, const Process& process) {
  return Resolving(proc_, reader_, target, need).run({process}, true);
}

}  // namespace diagnose::target
