#include "spec/file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <utility>

#include "base/fd.h"

namespace diagnose::spec {
namespace {

tl::unexpected<Fault> refused(const std::string& path, std::string what, std::string why, std::string mend) {
  return tl::unexpected(
      Fault{.place = {path, 0, 0}, .what = std::move(what), .why = std::move(why), .mend = std::move(mend)});
}

// The whole file, at most one byte more than is accepted: a file may grow while it is read.
Result<std::string> content(int fd) {
  std::string text(limits::spec_file_bytes + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(fd, text.data() + have, text.size() - have);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure({.what = "read", .where = {}, .why = errno_text(errno), .mend = {}});
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

}  // namespace

tl::expected<WholeFile, Fault> whole_file(const std::string& path) {
  // Not blocking: opening a pipe must not stop the daemon.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    const int error = errno;
    return refused(path, "cannot open", errno_text(error),
                   error == ENOENT ? "check the path" : "make the file readable for the daemon");
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0)
    return refused(path, "cannot read", errno_text(errno), "check the file system");
  if (!S_ISREG(status.st_mode)) {
    return refused(path, "cannot read", S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file",
                   "name a file");
  }
  if (static_cast<std::size_t>(status.st_size) > limits::spec_file_bytes) {
    return refused(
        path, "too large",
        std::to_string(status.st_size) + " bytes, at most " + std::to_string(limits::spec_file_bytes) + " are read",
        "split the file");
  }
  auto text = content(file.get());
  if (!text) return refused(path, "cannot read", text.error().why, "check the file system");
  const auto modified = std::chrono::seconds{status.st_mtim.tv_sec} + std::chrono::nanoseconds{status.st_mtim.tv_nsec};
  return WholeFile{
      .text = std::move(*text),
      .modified = lifespan::Clock::time_point{std::chrono::duration_cast<lifespan::Clock::duration>(modified)}};
}

}  // namespace diagnose::spec
