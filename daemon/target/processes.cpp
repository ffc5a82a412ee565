#include "target/processes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "target/elf_image.h"

namespace diagnose::target {
namespace {

constexpr std::string_view deleted = " (deleted)";
constexpr std::size_t comm_chars = 15;  // TASK_COMM_LEN without its NUL

std::string path_of(const std::string& root, pid_t pid, const char* entry) {
  return root + "/" + std::to_string(pid) + "/" + entry;
}

Error process_error(pid_t pid, std::string why, std::string mend) {
  return Error{.what = "look at the process",
               .where = "pid " + std::to_string(pid),
               .why = std::move(why),
               .mend = std::move(mend)};
}

Error process_error(pid_t pid, int error_number) {
  if (error_number == ENOENT || error_number == ESRCH) {
    return process_error(pid, "no such process",
                         "check the pid: it may have exited, or be one of another pid namespace");
  }
  if (error_number == EACCES || error_number == EPERM) {
    return process_error(
        pid, "not permitted",
        "run the daemon as root, or with CAP_SYS_PTRACE; where it has them, the host's security module or "
        "container forbids it");
  }
  return process_error(pid, errno_text(error_number), {});
}

// /proc files have no size; `errno` is set on failure.
std::optional<std::string> read_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 16384> part{};
  for (;;) {
    const ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

std::optional<std::string> read_link(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t got = ::readlink(path.c_str(), target.data(), target.size());
  if (got < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(got));
}

void cut_deleted(std::string& path) {
  if (path.size() > deleted.size() && path.ends_with(deleted)) path.resize(path.size() - deleted.size());
}

template <typename Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string_view next_word(std::string_view& line) {
  const auto start = std::min(line.find_first_not_of(' '), line.size());
  line.remove_prefix(start);
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

struct Stat {
  std::string comm;
  char state = 0;
  bool kernel_thread = false;
  std::uint64_t start_ticks = 0;
  std::uint64_t arguments = 0;  // their address; 0: not told
};

// proc_pid_stat(5).  The comm may hold anything, ')' and newlines too: it ends at the last ')'.
std::optional<Stat> parse_stat(std::string_view text) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  Stat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 1);
  constexpr int state_field = 3;
  constexpr int flags_field = 9;
  constexpr int start_field = 22;
  constexpr int arguments_field = 48;
  constexpr std::uint64_t flag_kernel_thread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h
  for (int field = state_field; field <= arguments_field; ++field) {
    const std::string_view word = next_word(rest);
    if (word.empty() && field <= start_field) return std::nullopt;
    std::uint64_t number = 0;
    if (field == state_field) stat.state = word.front();
    if (field == flags_field && read_number(word, number)) stat.kernel_thread = (number & flag_kernel_thread) != 0;
    if (field == start_field && !read_number(word, stat.start_ticks)) return std::nullopt;
    if (field == arguments_field && !read_number(word, stat.arguments)) stat.arguments = 0;
  }
  return stat;
}

bool gone(const Stat& stat) {
  return stat.state == 'Z' || stat.state == 'X' || stat.state == 'x';
}

// The kernel writes "\012" for a newline in a path.
std::string unescape(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() && read_number(text.substr(i + 1, 3), code, 8) && code < 256) {
      path += static_cast<char>(code);
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

// "55d0-55d1 r-xp 00001000 08:01 1234    /usr/bin/x" (proc_pid_maps(5)): an executable region, or nothing.
std::optional<Region> parse_region(std::string_view line) {
  Region region;
  region.range = next_word(line);
  const std::string_view permissions = next_word(line);
  const std::string_view offset_text = next_word(line);
  const std::string_view device = next_word(line);
  const std::string_view inode = next_word(line);
  if (permissions.size() < 3 || permissions[2] != 'x') return std::nullopt;
  const std::string_view range = region.range;
  const auto dash = range.find('-');
  const auto colon = device.find(':');
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  unsigned major_number = 0;
  unsigned minor_number = 0;
  if (dash == std::string_view::npos || !read_number(range.substr(0, dash), start, 16) ||
      !read_number(range.substr(dash + 1), end, 16) || !read_number(offset_text, offset, 16) ||
      colon == std::string_view::npos || !read_number(device.substr(0, colon), major_number, 16) ||
      !read_number(device.substr(colon + 1), minor_number, 16) || !read_number(inode, region.inode)) {
    return std::nullopt;
  }
  region.start = MemoryAddress{start};
  region.end = MemoryAddress{end};
  region.offset = FileOffset{offset};
  region.device = makedev(major_number, minor_number);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  region.path = unescape(line);
  cut_deleted(region.path);
  if (region.path.empty()) region.path = "[anon]";
  return region;
}

std::vector<Region> parse_regions(std::string_view text) {
  std::vector<Region> regions;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (auto region = parse_region(line)) regions.push_back(std::move(*region));
  }
  return regions;
}

// The rest of the line `name` (with its colon) in a /proc/PID/status, without the blanks at its start.
std::string_view status_line(std::string_view status, std::string_view name) {
  for (std::string_view rest = status; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line;
  }
  return {};
}

bool is_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

}  // namespace

std::vector<Process> ProcFs::list() const {
  std::vector<Process> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(root_.c_str()), ::closedir);
  if (!folder) return processes;
  while (const dirent* entry = ::readdir(folder.get())) {
    Process process;
    if (!read_number(std::string_view(entry->d_name), process.pid) || process.pid <= 0) continue;
    const auto text = read_file(path_of(root_, process.pid, "stat"));
    if (!text) continue;
    auto stat = parse_stat(*text);
    if (!stat || gone(*stat) || stat->kernel_thread) continue;
    process.start_ticks = stat->start_ticks;
    process.comm = std::move(stat->comm);
    // Not permitted: the process is listed all the same, so that whoever asks for it is told so.
    process.exe = read_link(path_of(root_, process.pid, "exe")).value_or("");
    cut_deleted(process.exe);
    processes.push_back(std::move(process));
  }
  std::sort(processes.begin(), processes.end(), [](const Process& a, const Process& b) { return a.pid < b.pid; });
  return processes;
}

Result<Process> ProcFs::process(pid_t pid) const {
  if (pid <= 0) return failure(process_error(pid, ESRCH));
  const auto text = read_file(path_of(root_, pid, "stat"));
  if (!text) return failure(process_error(pid, errno));
  auto stat = parse_stat(*text);
  if (!stat) return failure(process_error(pid, "its /proc/PID/stat cannot be read", {}));
  if (gone(*stat)) {
    return failure(process_error(pid, "no such process: it has exited and is a zombie until its parent takes notice",
                                 "probe the process that took its place"));
  }
  if (stat->kernel_thread) {
    return failure(
        process_error(pid, "a thread of the kernel, it runs no program", "use bpftrace or perf for the kernel"));
  }
  if (const auto status = read_file(path_of(root_, pid, "status"))) {
    pid_t leader = 0;
    if (read_number(status_line(*status, "Tgid:"), leader) && leader != pid) {
      return failure(
          process_error(pid, "a thread of process " + std::to_string(leader), "give pid " + std::to_string(leader)));
    }
  }
  auto exe = read_link(path_of(root_, pid, "exe"));
  if (!exe) return failure(process_error(pid, errno));
  cut_deleted(*exe);
  return Process{pid, stat->start_ticks, std::move(stat->comm), std::move(*exe)};
}

bool ProcFs::alive(const Process& process) const {
  const auto text = read_file(path_of(root_, process.pid, "stat"));
  if (!text) return false;
  const auto stat = parse_stat(*text);
  return stat && !gone(*stat) && stat->start_ticks == process.start_ticks;
}

Result<std::vector<Mapping>> ProcFs::mappings(pid_t pid) const {
  const auto text = read_file(path_of(root_, pid, "maps"));
  if (!text) return failure(process_error(pid, errno));
  std::vector<Mapping> mappings;
  for (Region& region : parse_regions(*text)) {
    if (region.inode == 0) continue;
    const bool known = std::any_of(mappings.begin(), mappings.end(), [&](const Mapping& other) {
      return other.device == region.device && other.inode == region.inode;
    });
    if (known) continue;
    mappings.push_back({region.device, region.inode, std::move(region.path), std::move(region.range), false});
  }
  std::string exe = read_link(path_of(root_, pid, "exe")).value_or("");
  cut_deleted(exe);
  struct stat status {};
  const bool has_status = ::stat(path_of(root_, pid, "exe").c_str(), &status) == 0;
  // By inode first: a rename changes the path in both places, a replaced file only its name.
  auto own = std::find_if(mappings.begin(), mappings.end(), [&](const Mapping& mapping) {
    return has_status && mapping.inode == status.st_ino && (mapping.device == status.st_dev || mapping.path == exe);
  });
  if (own == mappings.end()) {
    own = std::find_if(mappings.begin(), mappings.end(), [&](const Mapping& mapping) { return mapping.path == exe; });
  }
  if (own != mappings.end()) {
    own->executable_file = true;
    std::rotate(mappings.begin(), own, own + 1);
  }
  return mappings;
}

std::optional<MemoryAddress> Region::address_of(FileOffset at) const {
  if (inode == 0 || at < offset || raw(at) - raw(offset) >= raw(end) - raw(start)) return std::nullopt;
  return MemoryAddress{raw(at) - raw(offset) + raw(start)};
}

Result<std::vector<Region>> ProcFs::regions(pid_t pid) const {
  const auto text = read_file(path_of(root_, pid, "maps"));
  if (!text) return failure(process_error(pid, errno));
  return parse_regions(*text);
}

bool ProcFs::seccomp(pid_t pid) const {
  const auto status = read_file(path_of(root_, pid, "status"));
  int mode = 0;
  return status && read_number(status_line(*status, "Seccomp:"), mode) && mode != 0;
}

bool ProcFs::shadow_stack(pid_t pid) const {
  const auto status = read_file(path_of(root_, pid, "status"));
  if (!status) return false;
  std::string_view features = status_line(*status, "x86_Thread_features:");
  while (!features.empty()) {
    const std::string_view feature = next_word(features);
    if (feature == "shstk") return true;
  }
  return false;
}

std::optional<std::uint64_t> ProcFs::layout(pid_t pid) const {
  const auto text = read_file(path_of(root_, pid, "stat"));
  const auto stat = text ? parse_stat(*text) : std::nullopt;
  return stat && stat->arguments != 0 ? std::optional(stat->arguments) : std::nullopt;
}

Result<std::vector<std::byte>> ProcFs::memory(pid_t pid, MemoryAddress address, std::size_t bytes) const {
  const Fd file(::open(path_of(root_, pid, "mem").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failure(process_error(pid, errno));
  std::vector<std::byte> found(bytes);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(file.get(), found.data() + done, bytes - done, static_cast<off_t>(raw(address) + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return failure(process_error(pid, "its memory at " + hex(raw(address) + done) + " cannot be read",
                                   "see /proc/PID/maps for what it maps"));
    }
    done += static_cast<std::size_t>(got);
  }
  return found;
}

Result<Fd> ProcFs::open(pid_t pid, const Mapping& mapping) const {
  const auto open_read = [](const std::string& path) {
    // O_NONBLOCK: a path through `root` may have become a FIFO since.
    return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  };
  // btrfs and overlayfs show another device in maps than fstat() does, but an anonymous one (major 0) in both places.
  const auto is_mapped_file = [&](const Fd& file) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_ino != mapping.inode) return false;
    return status.st_dev == mapping.device || (major(status.st_dev) == 0 && major(mapping.device) == 0);
  };
  const auto still_mapped = [&] {
    const auto now = mappings(pid);
    return now && std::any_of(now->begin(), now->end(), [&](const Mapping& other) {
             return other.range == mapping.range && other.device == mapping.device && other.inode == mapping.inode;
           });
  };
  int error_number = 0;
  if (mapping.executable_file) {
    if (Fd file = open_read(path_of(root_, pid, "exe")); file && is_mapped_file(file)) return file;
  }
  if (Fd file = open_read(path_of(root_, pid, "map_files/") + mapping.range)) {
    // The link leads to the very file of that range, whatever numbers its file system shows.
    if (is_mapped_file(file) || still_mapped()) return file;
  } else {
    error_number = errno;
  }
  if (Fd file = open_read(path_of(root_, pid, "root") + mapping.path); file && is_mapped_file(file)) return file;
  const bool refused = error_number == EPERM || error_number == EACCES;
  return failure(
      Error{.what = "open the mapped file",
            .where = "pid " + std::to_string(pid) + " " + mapping.path,
            .why = refused ? "not permitted through map_files, and the file of that name is another one by now"
                           : "it is no longer mapped",
            .mend = refused ? "restart the program, or give the daemon CAP_CHECKPOINT_RESTORE" : "try again"});
}

bool matches(const spec::Target& target, const Process& process) {
  switch (target.by) {
    case spec::TargetBy::all:
      return true;
    case spec::TargetBy::pid:
      return std::find(target.pids.begin(), target.pids.end(), process.pid) != target.pids.end();
    case spec::TargetBy::comm:
      return std::string_view(target.pattern).substr(0, comm_chars) == process.comm;
    case spec::TargetBy::exe:
      break;
  }
  if (process.exe.empty()) return false;
  if (target.pattern == process.exe) return true;
  if (is_glob(target.pattern)) return ::fnmatch(target.pattern.c_str(), process.exe.c_str(), FNM_PATHNAME) == 0;
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(target.pattern.c_str(), nullptr), std::free);
  return resolved && process.exe == resolved.get();
}

}  // namespace diagnose::target
