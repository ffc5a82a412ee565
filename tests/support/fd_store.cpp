#include "support/fd_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace diagnose::test {
namespace {

constexpr std::size_t descriptors_most = 253;  // in one message (kernel: SCM_MAX_FD)

// "KEY=value" among the lines of `message`; empty if it is not there.
std::string value_of(const std::string& message, const std::string& key) {
  const std::size_t at = ("\n" + message).find("\n" + key + "=");
  if (at == std::string::npos) return "";
  const std::size_t from = at + key.size() + 1;
  return message.substr(from, message.find('\n', from) - from);
}

}  // namespace

FdStore::FdStore(std::size_t most) : most_(most) {
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder_.file("notify").copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error(std::string("bind: ") + std::strerror(errno));
  }
  thread_ = std::thread([this] { serve(); });
}

FdStore::~FdStore() {
  stop_ = true;
  thread_.join();
}

void FdStore::serve() {
  while (!stop_) {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    std::array<char, 4096> bytes{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * descriptors_most)> control{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    std::vector<Fd> descriptors;
    for (cmsghdr* one = CMSG_FIRSTHDR(&header); got > 0 && one != nullptr; one = CMSG_NXTHDR(&header, one)) {
      if (one->cmsg_type != SCM_RIGHTS) continue;
      std::vector<int> numbers((one->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      std::memcpy(numbers.data(), CMSG_DATA(one), numbers.size() * sizeof(int));
      for (const int number : numbers) descriptors.emplace_back(number);
    }
    if (got > 0) take(std::string(bytes.data(), static_cast<std::size_t>(got)), std::move(descriptors));
  }
}

// A barrier's descriptor is closed when this returns, which is the answer.
void FdStore::take(const std::string& message, std::vector<Fd> descriptors) {
  const std::lock_guard lock(mutex_);
  const std::string name = value_of(message, "FDNAME");
  if (value_of(message, "FDSTOREREMOVE") == "1") {
    std::erase_if(stored_, [&](const auto& one) { return one.first == name; });
  }
  if (value_of(message, "FDSTORE") != "1") return;
  for (Fd& descriptor : descriptors) {
    if (stored_.size() < most_) stored_.emplace_back(name, std::move(descriptor));
  }
}

Command FdStore::wrapper() {
  const std::lock_guard lock(mutex_);
  Command command = {program_path("with_fds"), folder_.file("notify")};
  for (const auto& [name, descriptor] : stored_) {
    ::fcntl(descriptor.get(), F_SETFD, 0);  // it goes through the exec
    command.push_back(std::to_string(descriptor.get()) + ":" + name);
  }
  command.emplace_back("--");
  return command;
}

std::size_t FdStore::stored() {
  const std::lock_guard lock(mutex_);
  return stored_.size();
}

void FdStore::forget() {
  const std::lock_guard lock(mutex_);
  stored_.clear();
}

}  // namespace diagnose::test
