#include "state/tombstones.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "state/store.h"

namespace diagnose::state {
namespace {

constexpr std::string_view suffix = ".attaching";

std::string name_of(const std::string& id) {
  return id + std::string(suffix);
}

}  // namespace

Mark::Mark(Mark&& other) noexcept : over_(std::exchange(other.over_, nullptr)), id_(std::move(other.id_)) {}

Mark::~Mark() {
  if (over_ != nullptr) over_->clear(id_);
}

Result<Tombstones> Tombstones::open(const std::string& directory) {
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) return Tombstones(directory, std::move(fd));
  return failure({.what = "open the state directory", .where = directory, .why = errno_text(errno), .mend = ""});
}

Result<Mark> Tombstones::raise(const std::string& id) const {
  const std::string name = name_of(id);
  const Fd file(is_id(id)
                    ? ::openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)
                    : -1);
  if (file) return Mark(*this, id);
  return failure({.what = "mark that `" + id + "` is being attached",
                  .where = directory_ + "/" + name,
                  .why = is_id(id) ? errno_text(errno) : "not a probe's id",
                  .mend = "give --state a directory with room; until then a spec that ends the daemon is tried again "
                          "at each start"});
}

std::set<std::string> Tombstones::standing() const {
  std::set<std::string> ids;
  // fdopendir() takes its descriptor; ours stays.
  const int listing = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(listing < 0 ? nullptr : ::fdopendir(listing), &::closedir);
  if (!directory) return ids;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(suffix)) continue;
    std::string id(name.substr(0, name.size() - suffix.size()));
    if (is_id(id)) ids.insert(std::move(id));
  }
  return ids;
}

void Tombstones::clear(const std::string& id) const {
  if (is_id(id)) (void)::unlinkat(fd_.get(), name_of(id).c_str(), 0);
}

}  // namespace diagnose::state
