// A service manager in small: what systemd does with file descriptors that a service leaves (sd_notify(3): FDSTORE,
// FDSTOREREMOVE, BARRIER), and how it gives them to the next start (sd_listen_fds(3)).
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "support/files.h"
#include "support/process.h"

namespace diagnose::test {

class FdStore {
 public:
  // Keeps at most `most` descriptors, as FileDescriptorStoreMax.
  explicit FdStore(std::size_t most = 4096);
  ~FdStore();
  FdStore(const FdStore&) = delete;
  FdStore& operator=(const FdStore&) = delete;

  // Becomes the command behind it, with NOTIFY_SOCKET and with everything that is stored now.  For DaemonOptions.
  [[nodiscard]] Command wrapper();
  [[nodiscard]] std::size_t stored();
  void forget();  // as at a stop without a start

 private:
  void serve();
  void take(const std::string& message, std::vector<Fd> descriptors);

  TemporaryFolder folder_;
  std::size_t most_;
  Fd socket_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, Fd>> stored_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace diagnose::test
