// Marks what is being attached, so that a spec which brings the daemon down is not attached again at each start (hazard
// 19).  A mark is an empty file ID.attaching in the state directory; it outlives the daemon that died under it.
#pragma once

#include <set>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace diagnose::state {

class Tombstones;

// Stands while it lives.
class Mark {
 public:
  Mark() = default;  // marks nothing
  Mark(Mark&& other) noexcept;
  Mark& operator=(Mark&&) = delete;
  ~Mark();

 private:
  friend class Tombstones;
  Mark(const Tombstones& over, std::string id) : over_(&over), id_(std::move(id)) {}
  const Tombstones* over_ = nullptr;
  std::string id_;
};

// One thread.  Nothing is synced to the disk: the kernel keeps what a dead daemon wrote, and after a crash of the host
// no spec is under suspicion.
class Tombstones {
 public:
  // `directory` is the store's (state/store.h), there already.
  [[nodiscard]] static Result<Tombstones> open(const std::string& directory);

  // Over a probe's id, while something is done for it that may end the daemon.  Borrowed by the mark.
  [[nodiscard]] Result<Mark> raise(const std::string& id) const;
  // Ids that a mark stands over now: right after the start, those that an earlier daemon died under.
  [[nodiscard]] std::set<std::string> standing() const;
  // None there is no error; one that cannot be removed stays for the next start.
  void clear(const std::string& id) const;

 private:
  Tombstones(std::string directory, Fd fd) : directory_(std::move(directory)), fd_(std::move(fd)) {}

  std::string directory_;  // for messages
  Fd fd_;
};

}  // namespace diagnose::state
