#include "target/channel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

#include "base/limits.h"

namespace diagnose::target {
namespace {

struct Header {
  std::uint32_t magic = 0x72656164;  // "read"
  std::uint32_t descriptors = 0;
  std::uint64_t bytes = 0;
};

constexpr std::size_t control_bytes = CMSG_SPACE(limits::reader_files * sizeof(int));

void attach_descriptors(msghdr& parts, char* control, const std::vector<int>& descriptors) {
  if (descriptors.empty()) return;
  parts.msg_control = control;
  parts.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* first = CMSG_FIRSTHDR(&parts);
  first->cmsg_level = SOL_SOCKET;
  first->cmsg_type = SCM_RIGHTS;
  first->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(first), descriptors.data(), descriptors.size() * sizeof(int));
}

void take_descriptors(msghdr& parts, std::vector<Fd>& descriptors) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&parts); part != nullptr; part = CMSG_NXTHDR(&parts, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t at = 0; at < count; ++at) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part) + at * sizeof(int), sizeof number);
      descriptors.emplace_back(number);
    }
  }
}

// Reads `size` bytes, and what descriptors come with them into `descriptors`, if that is given.
Transfer read_whole(int socket, char* to, std::size_t size, std::vector<Fd>* descriptors, const Ready& ready) {
  while (size > 0) {
    iovec piece{.iov_base = to, .iov_len = size};
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    msghdr parts{};
    parts.msg_iov = &piece;
    parts.msg_iovlen = 1;
    if (descriptors != nullptr) {
      parts.msg_control = control.data();
      parts.msg_controllen = control.size();
    }
    const ssize_t got = ::recvmsg(socket, &parts, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      if (!ready(POLLIN)) return Transfer::late;
      continue;
    }
    if (got <= 0) return Transfer::closed;
    if (descriptors != nullptr) take_descriptors(parts, *descriptors);
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return Transfer::done;
}

}  // namespace

Transfer send(int socket, std::string_view bytes, const std::vector<int>& descriptors, const Ready& ready) {
  const Header header{.descriptors = static_cast<std::uint32_t>(descriptors.size()), .bytes = bytes.size()};
  if (descriptors.size() > limits::reader_files) return Transfer::malformed;
  std::size_t sent = 0;
  while (sent < sizeof header + bytes.size()) {
    std::array<iovec, 2> pieces{};
    std::size_t count = 0;
    if (sent < sizeof header) {
      // sendmsg() only reads from it.
      pieces[count++] = {.iov_base = const_cast<char*>(reinterpret_cast<const char*>(&header)) + sent,
                         .iov_len = sizeof header - sent};
    }
    const std::size_t body = sent > sizeof header ? sent - sizeof header : 0;
    pieces[count++] = {.iov_base = const_cast<char*>(bytes.data()) + body, .iov_len = bytes.size() - body};
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    msghdr parts{};
    parts.msg_iov = pieces.data();
    parts.msg_iovlen = count;
    if (sent == 0) attach_descriptors(parts, control.data(), descriptors);
    const ssize_t gone = ::sendmsg(socket, &parts, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (gone < 0 && errno == EINTR) continue;
    if (gone < 0 && errno == EAGAIN) {
      if (!ready(POLLOUT)) return Transfer::late;
      continue;
    }
    if (gone < 0) return Transfer::closed;
    sent += static_cast<std::size_t>(gone);
  }
  return Transfer::done;
}

Transfer receive(int socket, Message& message, std::size_t bytes_max, std::size_t descriptors_max, const Ready& ready) {
  Header header;
  auto* const descriptors = descriptors_max > 0 ? &message.descriptors : nullptr;
  const Transfer headed = read_whole(socket, reinterpret_cast<char*>(&header), sizeof header, descriptors, ready);
  if (headed != Transfer::done) return headed;
  if (header.magic != Header{}.magic || header.bytes > bytes_max || header.descriptors > descriptors_max ||
      message.descriptors.size() != header.descriptors) {
    return Transfer::malformed;
  }
  // In steps, so that memory is taken only for what has come.
  constexpr std::size_t step = 1U << 20U;
  message.bytes.clear();
  while (message.bytes.size() < header.bytes) {
    const std::size_t had = message.bytes.size();
    message.bytes.resize(std::min<std::size_t>(header.bytes, had + std::max(step, had)));
    const Transfer got = read_whole(socket, message.bytes.data() + had, message.bytes.size() - had, descriptors, ready);
    if (got != Transfer::done) return got;
  }
  return message.descriptors.size() == header.descriptors ? Transfer::done : Transfer::malformed;
}

}  // namespace diagnose::target
