#include "control/access.h"

#include <algorithm>
#include <array>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

namespace diagnose::control {
namespace {

constexpr gid_t allowed = 990;

TEST(Access, RootIsAdmittedWithoutAnyGroup) {
  EXPECT_TRUE(admits(Peer{.pid = 1, .uid = 0, .gid = 0}, {}, std::nullopt));
}

TEST(Access, AMemberIsAdmittedByPrimaryOrSupplementaryGroup) {
  EXPECT_TRUE(admits(Peer{.pid = 1, .uid = 1000, .gid = allowed}, {}, allowed));
  EXPECT_TRUE(admits(Peer{.pid = 1, .uid = 1000, .gid = 1000}, {27, allowed}, allowed));
}

TEST(Access, EverybodyElseIsNot) {
  EXPECT_FALSE(admits(Peer{.pid = 1, .uid = 1000, .gid = 1000}, {27}, allowed));
  EXPECT_FALSE(admits(Peer{.pid = 1, .uid = 1000, .gid = 0}, {0}, allowed)) << "root's group is not root";
  EXPECT_FALSE(admits(Peer{.pid = 1, .uid = 1000, .gid = allowed}, {allowed}, std::nullopt)) << "no group, no members";
}

TEST(Access, ThePeerOfASocketPairIsOurselves) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const Fd a(ends[0]);
  const Fd b(ends[1]);
  const auto peer = peer_of(a.get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(peer->uid, geteuid());
  EXPECT_EQ(peer->gid, getegid());

  std::vector<gid_t> own(static_cast<std::size_t>(getgroups(0, nullptr)));
  ASSERT_EQ(getgroups(static_cast<int>(own.size()), own.data()), static_cast<int>(own.size()));
  auto groups = peer_groups(a.get());
  std::ranges::sort(own);
  std::ranges::sort(groups);
  EXPECT_EQ(groups, own);
}

TEST(Access, GroupsAreFoundByName) {
  EXPECT_EQ(group_named("root"), 0U);
  EXPECT_EQ(group_named("no-such-group-here"), std::nullopt);
}

}  // namespace
}  // namespace diagnose::control
