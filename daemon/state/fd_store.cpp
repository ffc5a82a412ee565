#include "state/fd_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/limits.h"

namespace diagnose::state {
namespace {

using Milliseconds = std::chrono::milliseconds;

// Names of descriptors in the store.  The manager keeps no order among those of one name.
constexpr const char* objects_name = "diagnose";
constexpr const char* text_name = "diagnose-text";
// In one message (kernel: SCM_MAX_FD is 253).
constexpr std::size_t descriptors_per_message = 200;

Error refused(const std::string& what, int error) {
  return {.what = "leave " + what + " to the next daemon",
          .where = "the service manager's store",
          .why = errno_text(error),
          .mend = "probes are attached anew then, and count from zero"};
}

Status send(const std::string& name, std::span<const int> descriptors) {
  // Nobody polls them: a ring buffer that has records would be taken for one that has ended.
  const std::string message = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + name;
  const int sent =
      ::sd_pid_notify_with_fds(0, 0, message.c_str(), descriptors.data(), static_cast<unsigned>(descriptors.size()));
  if (sent > 0) return {};
  return failure(refused("descriptors", sent == 0 ? ENOENT : -sent));
}

Status wait_for_manager(Milliseconds patience) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(patience).count();
  const int answered = ::sd_notify_barrier(0, static_cast<std::uint64_t>(microseconds));
  if (answered > 0) return {};
  return failure(refused("descriptors", answered == 0 ? ENOENT : -answered));
}

Result<Fd> written(const std::string& text) {
  Fd file(::memfd_create(text_name, MFD_CLOEXEC));
  if (!file) return failure(refused("a description", errno));
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0) return failure(refused("a description", errno));
    done += static_cast<std::size_t>(wrote);
  }
  return file;
}

std::string read_text(int file) {
  std::string text;
  std::array<char, 65536> bytes;
  while (text.size() < limits::handover_bytes) {
    const ssize_t got = ::pread(file, bytes.data(), bytes.size(), static_cast<off_t>(text.size()));
    if (got <= 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

bool has_fd_store() {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return false;
  const char* most = std::getenv("FDSTORE");  // systemd 254 and later: FileDescriptorStoreMax
  return most == nullptr || std::strtoul(most, nullptr, 10) > 0;
}

Status leave(const std::string& text, std::span<const int> descriptors, Milliseconds patience) {
  auto file = written(text);
  if (!file) return tl::unexpected(file.error());
  for (std::size_t at = 0; at < descriptors.size(); at += descriptors_per_message) {
    const std::size_t count = std::min(descriptors_per_message, descriptors.size() - at);
    if (auto status = send(objects_name, descriptors.subspan(at, count)); !status) return status;
  }
  // A manager that is not there any more has no business with the text.
  if (auto status = wait_for_manager(patience); !status) return status;
  const std::array last = {file->get()};
  if (auto status = send(text_name, last); !status) return status;
  return wait_for_manager(patience);
}

Stored take_stored() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);  // close-on-exec from here on
  Stored stored;
  for (int at = 0; at < count; ++at) {
    Fd descriptor(SD_LISTEN_FDS_START + at);
    const std::string name = names != nullptr && names[at] != nullptr ? names[at] : "";
    if (name == objects_name) stored.descriptors.push_back(std::move(descriptor));
    if (name == text_name) stored.text = read_text(descriptor.get());
  }
  for (char** name = names; name != nullptr && *name != nullptr; ++name) std::free(*name);
  std::free(names);
  if (count > 0) {
    for (const std::string name : {objects_name, text_name}) {
      // Refused: the manager has gone, and its store with it.
      (void)::sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + name).c_str());
    }
  }
  return stored;
}

}  // namespace diagnose::state
