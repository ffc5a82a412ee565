#include "cli/spec_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <utility>

#include "base/fd.h"
#include "base/limits.h"
#include "cli/excerpt.h"
#include "cli/fields.h"
#include "control/protocol.h"
#include "lifespan/lifespan.h"

namespace diagnose::cli {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

Error read_error(const std::string& path, std::string why, std::string mend = {}) {
  return Error{.what = "read specs", .where = path, .why = std::move(why), .mend = std::move(mend)};
}

// The file itself, or all *.yaml and *.yml of the directory, by name.
Result<std::vector<fs::path>> files_of(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error) return failure(read_error(path, error.message()));
  if (!fs::is_directory(absolute, error)) return std::vector{absolute};
  std::vector<fs::path> files;
  auto entry = fs::directory_iterator(absolute, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto extension = entry->path().extension();
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (!hidden && (extension == ".yaml" || extension == ".yml")) files.push_back(entry->path());
  }
  if (error) return failure(read_error(path, error.message()));
  if (files.empty()) return failure(read_error(path, "the directory holds no *.yaml and no *.yml"));
  std::ranges::sort(files);
  return files;
}

Result<json> file_of(const fs::path& path) {
  // Nonblocking, so that a FIFO is refused and not waited for.
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return failure(read_error(path, errno_text(errno)));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return failure(read_error(path, errno_text(errno)));
  if (!S_ISREG(status.st_mode)) return failure(read_error(path, "not a regular file"));
  const std::string bound = "larger than " + std::to_string(limits::spec_file_bytes) + " bytes";
  std::string text;
  std::array<char, 65536> buffer;  // NOLINT(*-member-init): read fills what is used
  for (;;) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(read_error(path, errno_text(errno)));
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > limits::spec_file_bytes) return failure(read_error(path, bound, "split it"));
  }
  const auto modified =
      std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
  return json{{"name", path.string()}, {"text", std::move(text)}, {"lastmodified", lifespan::rfc3339(modified)}};
}

// With the line that it names of the files that were sent.
control::PlacedError in_its_file(control::PlacedError told, const json& files) {
  for (const json& file : files) {
    if (told.column > 0) break;
    told = placed(std::move(told.error), file["name"].get<std::string>(), file["text"].get_ref<const std::string&>());
  }
  return told;
}

}  // namespace

Outcome<json> spec_files(const std::string& verb, const std::vector<std::string>& paths) {
  Failure unreadable;
  json files = json::array();
  for (const std::string& path : paths) {
    const auto found = files_of(path);
    if (!found) {
      unreadable.errors.emplace_back(found.error());
      continue;
    }
    for (const fs::path& each : *found) {
      auto file = file_of(each);
      if (file) {
        files.push_back(std::move(*file));
      } else {
        unreadable.errors.emplace_back(std::move(file.error()));
      }
    }
  }
  if (!unreadable.errors.empty()) return tl::unexpected(std::move(unreadable));
  const std::size_t bytes = control::request_line(0, verb, {{"files", files}}).size();
  if (bytes <= limits::control_message_bytes) return files;
  return fail(Exit::refused,
              Error{.what = verb,
                    .where = {},
                    .why = "the files take " + std::to_string(bytes) + " bytes together, one message holds " +
                           std::to_string(limits::control_message_bytes),
                    .mend = verb + " them in several goes: each file stands by itself"});
}

void tell_failed(const json& answer, const json& files, const Settings& settings) {
  for (const json& failed : list_of(answer, "failed")) {
    for (const json& error : list_of(failed, "errors")) {
      tell(in_its_file(control::error_from_json(error), files), settings);
    }
  }
}

}  // namespace diagnose::cli
