// A read lease on a probed file (fcntl(2), F_SETLEASE): while breakpoints are to be put into processes yet to come, a
// writer must wait until we have let go, or new instances would run breakpoints in other code (hazard 10).
#pragma once

#include <csignal>

#include "base/fd.h"
#include "base/result.h"

namespace diagnose::attach {

// Raised when somebody wants to write to a leased file; `si_fd` is the lease's descriptor.
inline int lease_signal() {
  return SIGRTMIN + 3;
}

class Lease {
 public:
  // Take it before the file is read: what is read then stays so until the lease is wanted back.  Look at wanted_back()
  // once more behind the attach; a writer that came meanwhile waits, and is told of by lease_signal().
  // `file` is borrowed for the call; the lease has a description of its own.  Fails if the file is open for writing, or
  // the file system knows no leases.
  [[nodiscard]] static Result<Lease> take(const Fd& file);
  // Takes over one that another daemon held; look at wanted_back() then.
  [[nodiscard]] static Result<Lease> take_over(Fd lease);
  // Gives the lease back: the writer goes on.  The destructor does the same.
  void release() { fd_.reset(); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool wanted_back() const;  // a writer waits

 private:
  explicit Lease(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace diagnose::attach
