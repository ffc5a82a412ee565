// One sandboxed reader process, seen from the daemon.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace diagnose::target {

class ReaderChild {
 public:
  // What one exchange may take; what is taken is the child's own processor time, so that a busy host harms nobody.
  struct Patience {
    std::chrono::nanoseconds cpu;
    std::chrono::nanoseconds wait;
  };

  // Runs `command` (a path, arguments), the number of its end of the socket as the last argument.  Does not wait for
  // it.
  [[nodiscard]] static Result<ReaderChild> start(const std::vector<std::string>& command);

  ReaderChild(ReaderChild&&) noexcept = default;
  ReaderChild& operator=(ReaderChild&& other) noexcept;
  ~ReaderChild();  // SIGKILL

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running() const;
  [[nodiscard]] std::size_t resident_bytes() const;

  // Waits until it is confined.  Fails with its own words if it could not be.
  [[nodiscard]] Status greet(const Patience& patience);
  // The bytes of the answer, believed in nothing.  Only `why` and `mend` of an error are filled in.  After an error the
  // child is good for nothing.
  [[nodiscard]] Result<std::string> exchange(const std::string& request, const std::vector<int>& descriptors,
                                             const Patience& patience);

 private:
  class Watch;
  ReaderChild(pid_t pid, Fd process, Fd socket) : pid_(pid), process_(std::move(process)), socket_(std::move(socket)) {}
  void end();
  [[nodiscard]] Error death();

  pid_t pid_ = -1;
  Fd process_;  // pidfd: the pid is ours until we wait for it
  Fd socket_;
  bool greeted_ = false;
};

}  // namespace diagnose::target
