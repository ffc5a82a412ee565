#include "state/store.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "lifespan/lifespan.h"

namespace diagnose::state {
namespace {

using nlohmann::json;

constexpr std::string_view suffix = ".json";
constexpr std::string_view half_written = ".tmp";  // an id never begins with a dot, nor ends in one of ours
constexpr int version = 1;

std::string name_of(const std::string& id) {
  return id + std::string(suffix);
}

Error failed(std::string what, std::string where, int error_number) {
  std::string mend;
  if (error_number == EACCES || error_number == EPERM) mend = "run diagnosed as root, or give it another --state";
  if (error_number == EROFS) mend = "give --state a directory that can be written";
  if (error_number == ENOSPC || error_number == EDQUOT) mend = "make room on that file system";
  return {.what = std::move(what), .where = std::move(where), .why = errno_text(error_number), .mend = std::move(mend)};
}

// errno, or 0.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return 0;
}

// The file's text, or its beginning if it has more than `bytes_max`; errno in the error's place.
tl::expected<std::string, int> read_text(int fd, std::size_t bytes_max) {
  std::string text;
  char bytes[16384];
  while (text.size() <= bytes_max) {
    const ssize_t size = ::read(fd, bytes, sizeof(bytes));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return tl::unexpected(errno);
    if (size == 0) break;
    text.append(bytes, static_cast<std::size_t>(size));
  }
  return text;
}

// Arrays and objects nested in one another; nlohmann's parser copes with any depth, its users need not.
int depth_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

tl::expected<StoredProbe, std::string> parse(const std::string& text) {
  if (text.empty()) return tl::unexpected(std::string("empty"));
  if (depth_of(text) > static_cast<int>(limits::yaml_depth)) return tl::unexpected(std::string("nested too deeply"));
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return tl::unexpected(std::string("not JSON, or cut off"));
  if (!value.is_object()) return tl::unexpected(std::string("not a JSON object"));
  const auto text_of = [&](const char* key) -> std::optional<std::string> {
    const auto found = value.find(key);
    if (found == value.end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
  };
  const auto format = value.find("version");
  if (format == value.end() || *format != version) return tl::unexpected(std::string("not of version 1"));
  const auto id = text_of("id");
  const auto origin = text_of("origin");
  const auto lastmodified = text_of("lastmodified");
  const auto written = value.find("written");
  if (!id || !origin || !lastmodified || written == value.end() || !written->is_object()) {
    return tl::unexpected(std::string("a key is missing or of the wrong type"));
  }
  if (!lifespan::parse_rfc3339(*lastmodified)) return tl::unexpected(std::string("`lastmodified` is not a time"));
  return StoredProbe{.id = *id, .origin = *origin, .written = *written, .lastmodified = *lastmodified};
}

std::string text_of(const StoredProbe& probe) {
  const json value = {{"version", version},
                      {"id", probe.id},
                      {"origin", probe.origin},
                      {"lastmodified", probe.lastmodified},
                      {"written", probe.written}};
  // Texts that are not UTF-8 (a path may be anything) are mended: the alternative is an exception.
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Status check_id(const char* verb, const std::string& id) {
  if (is_id(id)) return {};
  return failure({.what = std::string(verb) + " `" + id + "`",
                  .where = "",
                  .why = "not a probe's id",
                  .mend = "use a-z, 0-9, dot, dash and underscore, the first a letter or digit, at most 64"});
}

}  // namespace

bool is_id(const std::string& text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > limits::id_chars || !plain(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

Result<Store> Store::open(const std::string& directory) {
  const std::string what = "open the state directory";
  if (::mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) return failure(failed(what, directory, errno));
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failure(failed(what, directory, errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failure(failed(what, directory, errno));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return failure({.what = what,
                    .where = directory,
                    .why = "others may write to it, and so attach probes",
                    .mend = "chmod 700 " + directory});
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failure(failed(what, directory, errno));
    return failure({.what = what,
                    .where = directory,
                    .why = "another diagnosed uses it",
                    .mend = "end that one, or give this one its own --state"});
  }
  return Store(directory, std::move(fd));
}

Status Store::save(const StoredProbe& probe) {
  if (Status id = check_id("save the probe", probe.id); !id) return id;
  const std::string text = text_of(probe);
  if (text.size() > limits::spec_file_bytes) {
    return failure({.what = "save the probe `" + probe.id + "`",
                    .where = path(name_of(probe.id)),
                    .why = "larger than " + std::to_string(limits::spec_file_bytes) + " bytes",
                    .mend = "shorten the spec"});
  }
  return write(name_of(probe.id), text);
}

// The new text goes to a file of its own and takes the old one's place by rename(2), which is atomic for whoever reads
// it later on this boot.  Not synced: a disk that takes its time would stop the loop.
Status Store::write(const std::string& name, const std::string& text) const {
  const std::string half = "." + name + std::string(half_written);
  const auto refused = [&](const char* step, int error_number) -> Status {
    (void)::unlinkat(fd_.get(), half.c_str(), 0);  // best effort: load() removes it too
    return failure(failed(std::string("save a probe: ") + step, path(name), error_number));
  };
  // Not through a link, and not into what a crash left behind.
  (void)::unlinkat(fd_.get(), half.c_str(), 0);
  Fd file(::openat(fd_.get(), half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) return refused("create", errno);
  if (const int error = write_all(file.get(), text); error != 0) return refused("write", error);
  if (::renameat(fd_.get(), half.c_str(), fd_.get(), name.c_str()) != 0) return refused("rename", errno);
  return {};
}

Status Store::remove(const std::string& id) {
  if (Status valid = check_id("forget the probe", id); !valid) return valid;
  const std::string name = name_of(id);
  if (::unlinkat(fd_.get(), name.c_str(), 0) != 0) {
    if (errno == ENOENT) return {};
    return failure(failed("forget the probe `" + id + "`", path(name), errno));
  }
  return {};
}

tl::expected<StoredProbe, Store::Unreadable> Store::read(const std::string& name) const {
  // O_NONBLOCK: a fifo of that name must not stop the daemon.
  const Fd file(::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ELOOP) return tl::unexpected(Unreadable{.why = "a symbolic link", .corrupt = true});
  if (!file) return tl::unexpected(Unreadable{.why = errno_text(errno), .corrupt = false});
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return tl::unexpected(Unreadable{.why = errno_text(errno), .corrupt = false});
  if (!S_ISREG(status.st_mode)) return tl::unexpected(Unreadable{.why = "not a regular file", .corrupt = true});
  const auto text = read_text(file.get(), limits::spec_file_bytes);
  if (!text) return tl::unexpected(Unreadable{.why = errno_text(text.error()), .corrupt = false});
  if (text->size() > limits::spec_file_bytes) {
    return tl::unexpected(Unreadable{.why = "larger than a probe can be", .corrupt = true});
  }
  auto probe = parse(*text);
  if (!probe) return tl::unexpected(Unreadable{.why = std::move(probe.error()), .corrupt = true});
  if (!is_id(probe->id) || name_of(probe->id) != name) {
    return tl::unexpected(Unreadable{.why = "it names another probe than its file", .corrupt = true});
  }
  return std::move(*probe);
}

Error Store::left_aside(const std::string& name, const Unreadable& unreadable) const {
  Error error{.what = "read a stored probe", .where = path(name), .why = unreadable.why, .mend = ""};
  if (!unreadable.corrupt) return error;  // the file may be sound: it stays for the next start
  const std::string aside = name + ".corrupt";
  if (::renameat(fd_.get(), name.c_str(), fd_.get(), aside.c_str()) == 0) {
    error.mend = "it was left aside as " + path(aside) + "; attach the probe again";
  } else {
    error.mend = "remove it; it could not be renamed: " + errno_text(errno);
  }
  return error;
}

Loaded Store::load() {
  Loaded loaded;
  // fdopendir() takes its descriptor; ours stays.
  const int listing = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(listing < 0 ? nullptr : ::fdopendir(listing), &::closedir);
  if (!directory) {
    loaded.errors.push_back(failed("list the stored probes", directory_, errno));
    return loaded;
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.starts_with('.') && name.ends_with(std::string(suffix) + std::string(half_written))) {
      (void)::unlinkat(fd_.get(), name.c_str(), 0);  // if it stays, save() tries again
      continue;
    }
    if (name.starts_with('.') || !name.ends_with(suffix)) continue;
    auto probe = read(name);
    if (probe) {
      loaded.probes.push_back(std::move(*probe));
    } else {
      loaded.errors.push_back(left_aside(name, probe.error()));
    }
  }
  // "a-b.json" comes before "a.json", the id "a" before "a-b".
  std::sort(loaded.probes.begin(), loaded.probes.end(),
            [](const StoredProbe& left, const StoredProbe& right) { return left.id < right.id; });
  return loaded;
}

}  // namespace diagnose::state
