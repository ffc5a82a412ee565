#include "attach/lease.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace diagnose::attach {

Result<Lease> Lease::take(const Fd& file) {
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  Fd own(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!own || ::fcntl(own.get(), F_SETSIG, lease_signal()) != 0 || ::fcntl(own.get(), F_SETLEASE, F_RDLCK) != 0) {
    const int error = errno;
    return failure({.what = "take a read lease",
                    .where = "",
                    .why = error == EAGAIN ? "the file is open for writing" : errno_text(error),
                    .mend = "processes are attached one by one instead"});
  }
  return Lease(std::move(own));
}

// Whoever asks for the signal gets it (kernel: fs/fcntl.c, F_SETOWN); a lease keeps its old owner otherwise.
Result<Lease> Lease::take_over(Fd lease) {
  if (::fcntl(lease.get(), F_SETOWN, ::getpid()) != 0 || ::fcntl(lease.get(), F_SETSIG, lease_signal()) != 0) {
    return failure({.what = "take over a read lease", .where = "", .why = errno_text(errno), .mend = ""});
  }
  return Lease(std::move(lease));
}

bool Lease::wanted_back() const {
  return ::fcntl(fd_.get(), F_GETLEASE) == F_UNLCK;
}

}  // namespace diagnose::attach
