// What survives a restart: the probes that were attached by hand or applied, one JSON file each in one directory.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace diagnose::state {

// A probe as it was asked for.
struct StoredProbe {
  std::string id;
  std::string origin;        // path of the file that an `apply` brought it from, or "attach"
  nlohmann::json written;    // the probe's mapping
  std::string lastmodified;  // RFC 3339

  friend bool operator==(const StoredProbe&, const StoredProbe&) = default;
};

struct Loaded {
  std::vector<StoredProbe> probes;  // by id
  std::vector<Error> errors;        // one for each file that could not be read
};

// Holds the directory open: what happens to its path later does not matter.  One thread.  Two daemons on one directory
// are refused at open().
class Store {
 public:
  // Makes `directory` (0700; its parent must exist) if it is not there.
  [[nodiscard]] static Result<Store> open(const std::string& directory);

  // Atomic: after a crash of the daemon at any moment the file is the old one or the new one, and after success it is
  // the new one.  Not waited for: a host that crashes may lose the probes of its last half minute, and with them mostly
  // the processes that they were for; a file that it leaves cut off is told by load().  Fails for an id that is no file
  // name (see is_id) and for a probe over limits::spec_file_bytes.
  [[nodiscard]] Status save(const StoredProbe& probe);

  // No such probe is no error: it is gone.
  [[nodiscard]] Status remove(const std::string& id);

  // Every probe that can be read.  A file that cannot (truncated, junk, too large, another probe's name in it) is
  // renamed to NAME.corrupt, so that nobody trips over it twice and a person can look at it.  Files of other names are
  // not touched, but for what a crash left half-written, which is removed.
  [[nodiscard]] Loaded load();

 private:
  Store(std::string directory, Fd fd) : directory_(std::move(directory)), fd_(std::move(fd)) {}
  struct Unreadable {
    std::string why;
    bool corrupt = false;  // the file, not the reading of it
  };
  [[nodiscard]] tl::expected<StoredProbe, Unreadable> read(const std::string& name) const;
  [[nodiscard]] Error left_aside(const std::string& name, const Unreadable& unreadable) const;
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] Status write(const std::string& name, const std::string& text) const;

  std::string directory_;  // for messages
  Fd fd_;                  // locked
};

// [a-z0-9][a-z0-9._-]*, at most limits::id_chars: safe as a file name by construction.
[[nodiscard]] bool is_id(const std::string& text);

}  // namespace diagnose::state
