#include "control/server.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>

#include "base/fd.h"
#include "base/limits.h"
#include "control/access.h"
#include "control/connection.h"

namespace diagnose::control {

namespace {

using namespace std::chrono_literals;

constexpr int backlog = 64;  // connections that the kernel keeps until we accept them
constexpr int accepted_in_a_turn = 16;
constexpr auto out_of_descriptors_pause = 1s;  // accept() would fail again at once and spin the loop

Error listen_error(const std::string& path, std::string why, std::string mend = {}) {
  return Error{.what = "listen for clients", .where = path, .why = std::move(why), .mend = std::move(mend)};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return failure(listen_error(path,
                                "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes",
                                "give --socket a shorter one"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Fd unix_socket() {
  return Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

Status make_parents(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  std::filesystem::path made;
  for (const auto& part : parent) {
    made /= part;
    if (mkdir(made.c_str(), 0755) == 0 || errno == EEXIST) continue;
    struct stat status {};
    if (stat(made.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;  // a read-only file system says EROFS
    return failure(listen_error(path, "cannot make directory " + made.string() + ": " + errno_text(errno)));
  }
  return {};
}

// Takes away a socket that nobody listens on.  Succeeds where there is nothing.
Status clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return failure(listen_error(path, errno_text(errno)));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return failure(listen_error(path, "the path is taken by something that is not a socket", "move it away"));
  }
  const Fd visitor = unix_socket();
  if (!visitor) return failure(listen_error(path, errno_text(errno)));
  const bool connected = connect(visitor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (connected || errno == EAGAIN) {  // EAGAIN: somebody listens, and has more clients than they can accept
    std::string pid = "?";
    if (connected) {
      if (const auto peer = peer_of(visitor.get())) pid = std::to_string(peer->pid);
    }
    return failure(listen_error(path, "socket in use by a live daemon (pid " + pid + ")",
                                "stop that daemon, or give --socket another path"));
  }
  if (errno != ECONNREFUSED) return failure(listen_error(path, errno_text(errno)));
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return failure(listen_error(path, "a dead daemon's socket cannot be removed: " + errno_text(errno)));
  }
  return {};
}

// What the daemon listens on, and how to tell the path's socket from another daemon's later one.
struct Listener {
  Fd socket;
  dev_t device = 0;
  ino_t inode = 0;
};

Result<Listener> bind_at(const std::string& path, std::optional<gid_t> group) {
  const auto address = address_of(path);
  if (!address) return failure(address.error());
  if (auto made = make_parents(path); !made) return failure(std::move(made.error()));
  if (auto cleared = clear_stale(path, *address); !cleared) return failure(std::move(cleared.error()));

  Listener listener{.socket = unix_socket()};
  if (!listener.socket) return failure(listen_error(path, errno_text(errno)));
  // The mode of the unbound socket is what bind() creates the path with (less the umask): never open to others for a
  // moment.
  if (fchmod(listener.socket.get(), 0660) != 0 ||
      bind(listener.socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failure(listen_error(path, errno_text(errno)));
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return failure(listen_error(path, errno_text(errno)));
  listener.device = status.st_dev;
  listener.inode = status.st_ino;
  if ((group && lchown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) || chmod(path.c_str(), 0660) != 0 ||
      ::listen(listener.socket.get(), backlog) != 0) {
    const std::string why = errno_text(errno);
    unlink(path.c_str());
    return failure(listen_error(path, why));
  }
  return listener;
}

// Tells a client that is not served why.  Best effort: its socket is new, so one line fits.
void turn_away(int socket, Code code, const Error& error) {
  const std::string line = error_line(nullptr, code, error);
  static_cast<void>(send(socket, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

class SocketServer final : public Server {
 public:
  SocketServer(loop::Loop& loop, Service& service, std::string path, std::string group, std::optional<gid_t> group_id,
               Listener listener)
      : loop_(loop),
        service_(service),
        path_(std::move(path)),
        group_(std::move(group)),
        group_id_(group_id),
        listener_(std::move(listener)) {}

  ~SocketServer() override {
    struct stat status {};
    // Another daemon may have replaced the path since.
    if (lstat(path_.c_str(), &status) == 0 && status.st_dev == listener_.device && status.st_ino == listener_.inode) {
      unlink(path_.c_str());
    }
  }
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  [[nodiscard]] Status start() {
    auto source = loop_.on_fd(listener_.socket.get(), EPOLLIN, [this](std::uint32_t) { accept_some(); });
    if (!source) return failure(std::move(source.error()));
    auto timer = loop_.on_timer([this] { source_.watch(EPOLLIN); });
    if (!timer) return failure(std::move(timer.error()));
    source_ = std::move(*source);
    resume_ = std::move(*timer);
    return {};
  }

 private:
  void accept_some() {
    for (int i = 0; i < accepted_in_a_turn; ++i) {
      Fd client(accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (client) {
        admit(std::move(client));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        source_.watch(0);
        resume_.arm(out_of_descriptors_pause);
      }
      return;  // EAGAIN: nobody left; anything else concerns one client that has gone
    }
  }

  void admit(Fd client) {
    const auto peer = peer_of(client.get());
    if (!peer || !admits(*peer, peer_groups(client.get()), group_id_)) {
      turn_away(client.get(), Code::forbidden,
                Error{.what = "connect to the daemon",
                      .where = path_,
                      .why = "only root and members of group `" + group_ + "` may",
                      .mend = "use sudo, or `usermod -aG " + group_ + " USER` and log in again"});
      return;
    }
    if (connections_.size() >= limits::control_clients) {
      turn_away(client.get(), Code::refused,
                Error{.what = "connect to the daemon",
                      .where = path_,
                      .why = "it has " + std::to_string(limits::control_clients) + " clients already",
                      .mend = "end some that follow, such as `diagnosectl events`"});
      return;
    }
    const std::uint64_t number = ++last_number_;
    auto connection = std::make_shared<SocketConnection>(std::move(client), *peer, number, service_);
    if (!connection->start(loop_, [this, number] { forget(number); })) return;  // no memory: the client sees it close
    connections_.emplace(number, std::move(connection));
  }

  void forget(std::uint64_t number) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) return;
    const auto connection = found->second;
    connections_.erase(found);
    service_.gone(*connection);
  }

  loop::Loop& loop_;
  Service& service_;
  std::string path_;
  std::string group_;
  std::optional<gid_t> group_id_;
  std::uint64_t last_number_ = 0;
  Listener listener_;
  std::map<std::uint64_t, std::shared_ptr<SocketConnection>> connections_;
  loop::Source resume_;
  loop::Source source_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(loop::Loop& loop, const std::string& path, Service& service,
                                               const std::string& group) {
  const auto group_id = group_named(group);
  auto listener = bind_at(path, group_id);
  if (!listener) return failure(std::move(listener.error()));
  auto server = std::make_unique<SocketServer>(loop, service, path, group, group_id, std::move(*listener));
  if (auto started = server->start(); !started) return failure(std::move(started.error()));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace diagnose::control
