// Who may speak to the daemon: root, and members of one group.  The daemon acts with its own privileges for whoever
// asks, so this is the whole of its access control.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "control/server.h"

namespace diagnose::control {

// The group's id; nullopt if there is none of that name.  Reads the user database, which can take long: at start only.
[[nodiscard]] std::optional<gid_t> group_named(const std::string& name);

// The process at the other end as it was when it connected (SO_PEERCRED, unix(7)).
[[nodiscard]] Result<Peer> peer_of(int socket);

// Its supplementary groups (SO_PEERGROUPS, Linux 4.13); empty if they cannot be read.
[[nodiscard]] std::vector<gid_t> peer_groups(int socket);

[[nodiscard]] bool admits(const Peer& peer, const std::vector<gid_t>& groups, std::optional<gid_t> allowed);

}  // namespace diagnose::control
