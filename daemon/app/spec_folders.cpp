#include "app/spec_folders.h"

#include <array>
#include <cerrno>
#include <filesystem>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <utility>

#include "base/limits.h"
#include "spec/read.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

// Editors write in several steps: look when they have come to rest.
constexpr auto settle = 50ms;
// A folder that is not there may be made.
constexpr std::chrono::seconds missing_poll = 2s;

bool is_spec(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return !name.starts_with(".") && (path.extension() == ".yaml" || path.extension() == ".yml");
}

}  // namespace

void SpecFolders::watch(const std::vector<std::string>& folders) {
  folders_ = folders;
  if (!inotify_) {
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    auto source = loop_.on_fd(inotify_.get(), EPOLLIN, [this](std::uint32_t) { on_inotify(); });
    if (source) {
      source_ = std::move(*source);
    } else {
      log_.error(source.error().text());
    }
  }
  reload();
}

void SpecFolders::watch_folder(const std::string& folder) {
  if (watches_.contains(folder)) return;
  const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(),
                                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                                            IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
  if (watch >= 0) {
    watches_[folder] = watch;
  } else if (errno != ENOENT) {
    log_.warning("watch " + folder + ": " + errno_text(errno) + ": it is looked at once a minute instead");
  }
}

void SpecFolders::on_inotify() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (true) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) == 0) continue;
      std::erase_if(watches_, [&](const auto& known) { return known.second == event->wd; });
    }
  }
  agenda_.cancel(soon_);
  soon_ = agenda_.after(settle, [this] {
    soon_ = 0;
    look();
  });
}

std::map<std::string, SpecFolders::Stamp> SpecFolders::files() const {
  std::map<std::string, Stamp> found;
  for (const std::string& folder : folders_) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      struct stat status {};
      const std::string path = entry->path().string();
      if (!is_spec(entry->path()) || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      found[path] = {.mtime_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec,
                     .bytes = static_cast<std::uint64_t>(status.st_size),
                     .inode = status.st_ino};
    }
    if (error) log_.warning("read specs: " + folder + ": " + error.message());
  }
  return found;
}

void SpecFolders::look() {
  agenda_.cancel(poll_);
  for (const std::string& folder : folders_) watch_folder(folder);
  const auto next = watches_.size() < folders_.size() ? missing_poll : std::chrono::seconds(limits::spec_poll);
  poll_ = folders_.empty() ? 0 : agenda_.after(next, [this] { look(); });
  const auto before = std::exchange(read_, files());
  for (const auto& [path, stamp] : before) {
    if (!read_.contains(path)) roster_.apply({}, path, true);
  }
  for (const auto& [path, stamp] : std::map(read_)) {
    const auto known = before.find(path);
    if (known == before.end() || known->second != stamp) apply(path);
  }
}

void SpecFolders::reload() {
  // A stamp that no file has makes every file one that changed.
  for (auto& [path, stamp] : read_) stamp = {.mtime_ns = -1};
  look();
}

void SpecFolders::apply(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IWOTH) != 0) {
    log_.error("read specs: " + path + ": anybody may write to it: `chmod o-w` it");
    return;
  }
  const spec::Document document = spec::read_file(path);
  const Applied applied = roster_.apply(document, path, true);
  faults_ += document.faults.size();
  for (const auto& [id, errors] : applied.failed) {
    for (const Error& error : errors) log_.error(error.text());
  }
}

}  // namespace diagnose::app
