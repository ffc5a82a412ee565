#include "target/debug_files.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

namespace diagnose::target {
namespace {

constexpr const char* debug_root = "/usr/lib/debug";

}  // namespace

Fd open_within(const std::string& root, const std::string& path) {
  const Fd top(::open(root.empty() ? "/" : root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return {};
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  Fd file(static_cast<int>(::syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof how)));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return file;
}

namespace {

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::vector<std::string> debug_paths(const DebugFilesRequest& request) {
  std::vector<std::string> paths;
  if (request.build_id.size() > 2 && is_hex(request.build_id)) {
    std::string by_id = debug_root;
    by_id.append("/.build-id/").append(request.build_id, 0, 2).append("/").append(request.build_id, 2).append(".debug");
    paths.push_back(std::move(by_id));
  }
  const auto slash = request.path.rfind('/');
  if (is_plain_name(request.debuglink) && slash != std::string::npos) {
    const std::string folder = request.path.substr(0, slash + 1);
    const std::string beside = folder + request.debuglink;
    if (beside != request.path) paths.push_back(beside);
    paths.push_back(folder + ".debug/" + request.debuglink);
    paths.push_back(std::string(debug_root).append(beside));
  }
  return paths;
}

DebugFiles find_debug_files(const DebugFilesRequest& request) {
  DebugFiles found;
  const auto add = [&](Fd file, std::string name) {
    if (found.fds.size() >= limits::debug_files) return;
    found.fds.push_back(std::move(file));
    found.names.push_back(std::move(name));
  };
  std::vector<std::string> roots = {request.root};
  if (!request.root.empty()) roots.emplace_back();  // a container's program, with its debug package on the host
  for (const std::string& root : roots) {
    for (const std::string& path : debug_paths(request)) {
      if (Fd file = open_within(root, path)) {
        add(std::move(file), root + path);
      } else {
        found.tried.push_back(root + path);
      }
    }
  }
  return found;
}

}  // namespace diagnose::target
