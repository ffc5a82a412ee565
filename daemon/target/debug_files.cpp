#include "target/debug_files.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <dlfcn.h>
#include <elfutils/debuginfod.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

namespace diagnose::target {
namespace {

constexpr const char* debug_root = "/usr/lib/debug";

// The target may have put anything there: links stay within its root, and only plain files are read.
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

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// libdebuginfod, loaded only when it is asked for: it brings curl with it.  It keeps what it fetched in a cache of its
// own (debuginfod-find(1)).
class Debuginfod {
 public:
  Debuginfod() : library_(::dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL)) {}

  Fd find(const std::string& build_id, std::string& path) {
    const auto begin = function<decltype(::debuginfod_begin)>("debuginfod_begin");
    const auto end = function<decltype(::debuginfod_end)>("debuginfod_end");
    const auto find = function<decltype(::debuginfod_find_debuginfo)>("debuginfod_find_debuginfo");
    const auto progress = function<decltype(::debuginfod_set_progressfn)>("debuginfod_set_progressfn");
    const auto user_data = function<decltype(::debuginfod_set_user_data)>("debuginfod_set_user_data");
    if (begin == nullptr || end == nullptr || find == nullptr || progress == nullptr || user_data == nullptr) return {};
    debuginfod_client* client = begin();
    if (client == nullptr) return {};
    auto deadline = Clock::now() + limits::debuginfod_wait;
    user_data(client, &deadline);
    progress(client, &Debuginfod::look);
    char* found = nullptr;
    // 0: the build id is text.
    Fd file(find(client, reinterpret_cast<const unsigned char*>(build_id.c_str()), 0, &found));
    if (found != nullptr) path = found;
    std::free(found);  // NOLINT: malloc'd by the library
    end(client);
    return file;
  }

 private:
  struct Close {
    void operator()(void* library) const { ::dlclose(library); }
  };
  using Clock = std::chrono::steady_clock;

  // Not 0: give up.
  static int look(debuginfod_client* client, long /*done*/, long /*all*/) {
    Debuginfod loaded;  // a second handle on what is loaded: a plain function has no other way to it
    const auto get = loaded.function<decltype(::debuginfod_get_user_data)>("debuginfod_get_user_data");
    const auto* deadline = get != nullptr ? static_cast<const Clock::time_point*>(get(client)) : nullptr;
    return deadline != nullptr && Clock::now() > *deadline ? 1 : 0;
  }

  template <typename F>
  F* function(const char* name) {
    return library_ ? reinterpret_cast<F*>(::dlsym(library_.get(), name)) : nullptr;
  }

  std::unique_ptr<void, Close> library_;
};

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
  const char* servers = std::getenv("DEBUGINFOD_URLS");
  if (found.fds.empty() && servers != nullptr && *servers != '\0' && !request.build_id.empty()) {
    std::string path;
    if (Fd file = Debuginfod().find(request.build_id, path)) {
      add(std::move(file), path);
    } else {
      found.tried.push_back("debuginfod (" + std::string(servers) + ")");
    }
  }
  return found;
}

}  // namespace diagnose::target
