#include "cli/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

#include "base/limits.h"
#include "control/protocol.h"

namespace diagnose::cli {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr timeval connect_patience{.tv_sec = 10, .tv_usec = 0};
constexpr const char* start_it = "start it with `systemctl start diagnosed`, or give --socket";

tl::unexpected<Failure> connect_failure(const std::string& path, int error_number) {
  Error error{.what = "connect to the daemon", .where = path, .why = errno_text(error_number), .mend = start_it};
  Exit exit = Exit::no_daemon;
  if (error_number == ENOENT) {
    error.why = "no such socket";
  } else if (error_number == ECONNREFUSED) {
    error.why = "nobody listens there: the daemon has died";
  } else if (error_number == EACCES || error_number == EPERM) {
    exit = Exit::refused;  // somebody is there
    error.why = "permission denied";
    error.mend = "run this as root, or as a member of group `diagnose`: `usermod -aG diagnose USER`";
  } else if (error_number == EAGAIN) {
    error.why = "the daemon does not accept connections";
    error.mend = "see `systemctl status diagnosed`";
  }
  return fail(exit, std::move(error));
}

Failure refusal(const std::string& method, const json& error) {
  Failure failure;

  const auto data = error.find("data");
  if (data == error.end() || !data->is_object()) {
    failure.errors.emplace_back(
        Error{.what = method, .where = {}, .why = error.value("message", "refused"), .mend = {}});
    return failure;
  }
  // A request with several faults gets them all told at once.
  if (const auto all = data->find("errors"); all != data->end() && all->is_array() && !all->empty()) {
    for (const json& one : *all) failure.errors.push_back(control::placed_error_from_json(one));
    failure.all = control::error_from_json(*data);
  } else {
    failure.errors.emplace_back(control::error_from_json(*data));
  }
  return failure;
}

}  // namespace

Client::Client(Fd socket, std::string path, int interrupt_fd)
    : socket_(std::move(socket)), path_(std::move(path)), interrupt_fd_(interrupt_fd) {}

Outcome<Client> Client::connect(const std::string& path, int interrupt_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return connect_failure(path, ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return connect_failure(path, errno);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &connect_patience, sizeof connect_patience);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return connect_failure(path, errno);
  }
  return Client(std::move(socket), path, interrupt_fd);
}

tl::unexpected<Failure> Client::gone(std::string why) const {
  return fail(Exit::no_daemon, Error{.what = "talk to the daemon",
                                     .where = path_,
                                     .why = std::move(why),
                                     .mend = "see `systemctl status diagnosed`"});
}

Outcome<void> Client::send(std::string_view line) {
  while (!line.empty()) {
    const ssize_t sent = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};  // it has said why: that is to be read
    if (sent < 0) return gone(errno == EAGAIN ? "it does not read" : errno_text(errno));
    line.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Outcome<Client::Woken> Client::wait(Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    const int timeout = static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
    std::array<pollfd, 2> polled{
        {{.fd = socket_.get(), .events = POLLIN, .revents = 0}, {.fd = interrupt_fd_, .events = POLLIN, .revents = 0}}};
    const int ready = poll(polled.data(), polled.size(), timeout);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return gone(errno_text(errno));
    if (polled[1].revents != 0) {
      signalfd_siginfo caught{};
      if (read(interrupt_fd_, &caught, sizeof caught) == sizeof caught) ++interrupts_;
      return Woken::interrupted;
    }
    return polled[0].revents != 0 ? Woken::readable : Woken::late;
  }
}

Outcome<void> Client::receive_some() {
  std::array<char, 65536> buffer;  // NOLINT(*-member-init): recv fills what is read
  const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EINTR) return {};
  if (got <= 0) return gone("it has closed the connection");
  input_.erase(0, taken_);
  searched_ -= taken_;
  taken_ = 0;
  input_.append(buffer.data(), static_cast<std::size_t>(got));
  return {};
}

// The next message that is already here and is no notification; those are handed out.
Outcome<std::optional<json>> Client::next_message() {
  for (;;) {
    const auto end = input_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = input_.size();
      return std::nullopt;
    }
    json message = json::parse(input_.begin() + static_cast<std::ptrdiff_t>(taken_),
                               input_.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    taken_ = searched_ = end + 1;
    if (!message.is_object()) return gone("its answer is not JSON-RPC");
    if (!message.contains("method")) return message;
    if (receive_ && message.contains("params")) receive_(message["params"]);
  }
}

Outcome<json> Client::call(const std::string& method, const json& params) {
  const int id = ++last_id_;
  const std::string line = control::request_line(id, method, params);
  if (line.size() - 1 > limits::control_message_bytes) {
    return fail(Exit::refused, Error{.what = method,
                                     .where = {},
                                     .why = "the request has " + std::to_string(line.size() - 1) +
                                            " bytes, the daemon takes " + std::to_string(limits::control_message_bytes),
                                     .mend = "ask for less at a time"});
  }
  if (auto sent = send(line); !sent) return tl::unexpected(std::move(sent.error()));
  const auto until = Clock::now() + patience_;
  for (;;) {
    auto message = next_message();
    if (!message) return tl::unexpected(std::move(message.error()));
    if (*message) {
      json& answer = **message;
      // An error without an id is the daemon's last word to this connection.
      const bool ours = answer.contains("id") && (answer["id"] == id || answer["id"].is_null());
      if (!ours) continue;
      if (answer.contains("error")) return tl::unexpected(refusal(method, answer["error"]));
      return std::move(answer["result"]);
    }
    const auto woken = wait(until);
    if (!woken) return tl::unexpected(woken.error());
    if (*woken == Woken::late) {
      return fail(Exit::refused, Error{.what = method,
                                       .where = {},
                                       .why = "no answer within " + std::to_string(patience_.count() / 1000) +
                                              " s; the daemon is there, and may still be at it",
                                       .mend = "see `diagnosectl list` for what it has done"});
    }
    if (*woken == Woken::interrupted) {
      if (interrupts_ > 1) return tl::unexpected(Failure{.exit = Exit::interrupted, .errors = {}});
      continue;
    }
    if (auto received = receive_some(); !received) return tl::unexpected(std::move(received.error()));
  }
}

Outcome<void> Client::listen(Clock::time_point until) {
  while (!interrupted()) {
    const auto message = next_message();
    if (!message) return tl::unexpected(message.error());
    if (*message) continue;  // an answer that nobody waits for any more
    const auto woken = wait(until);
    if (!woken) return tl::unexpected(woken.error());
    if (*woken != Woken::readable) return {};
    if (auto received = receive_some(); !received) return tl::unexpected(std::move(received.error()));
    if (Clock::now() >= until) {  // a busy stream must not keep the caller from its turn
      const auto rest = next_message();
      if (!rest) return tl::unexpected(rest.error());
      return {};
    }
  }
  return {};
}

}  // namespace diagnose::cli
