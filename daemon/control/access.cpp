#include "control/access.h"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <sys/socket.h>

namespace diagnose::control {

std::optional<gid_t> group_named(const std::string& name) {
  constexpr std::size_t buffer_bytes_max = 1U << 20U;  // a group of many thousand members
  for (std::size_t bytes = 4096; bytes <= buffer_bytes_max; bytes *= 4) {
    std::vector<char> buffer(bytes);
    group entry{};
    group* found = nullptr;
    const int status = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (status == ERANGE) continue;
    if (status != 0 || found == nullptr) return std::nullopt;
    return entry.gr_gid;
  }
  return std::nullopt;
}

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return failure(Error{.what = "read the peer's credentials", .where = {}, .why = errno_text(errno), .mend = {}});
  }
  return Peer{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

std::vector<gid_t> peer_groups(int socket) {
  std::vector<gid_t> groups(64);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int status = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
    const int error_number = errno;
    if (status != 0 && error_number != ERANGE) return {};
    groups.resize(bytes / sizeof(gid_t));  // with ERANGE the kernel has said how many there are
    if (status == 0) return groups;
  }
  return {};
}

bool admits(const Peer& peer, const std::vector<gid_t>& groups, std::optional<gid_t> allowed) {
  if (peer.uid == 0) return true;
  if (!allowed) return false;
  return peer.gid == *allowed || std::ranges::find(groups, *allowed) != groups.end();
}

}  // namespace diagnose::control
