#include "control/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

#include "base/limits.h"

namespace diagnose::control {

using nlohmann::json;

namespace {

constexpr std::size_t receive_bytes = 64U << 10U;  // in one turn, so that no client holds the loop
constexpr std::size_t outstanding_max = 64;        // beyond, the client is not read from until we have answered
constexpr std::size_t flush_bytes = 64U << 10U;    // below, notifications wait for the end of the turn, together

}  // namespace

// Shared by the reply and the server; answers exactly once, at the latest when both have dropped it.
struct SocketConnection::Pending {
  std::weak_ptr<SocketConnection> connection;
  json id;
  std::string method;
  bool answered = false;

  Pending(std::weak_ptr<SocketConnection> from, const Request& request)
      : connection(std::move(from)), id(request.id), method(request.method) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    refuse(Code::refused, Error{.what = method, .where = {}, .why = "the daemon gave the request up", .mend = {}});
  }

  void result(const json& value) { answer(id.is_null() ? std::string() : result_line(id, value)); }
  void refuse(Code code, const Refusal& refusal) {
    answer(id.is_null() ? std::string() : error_line(id, code, refusal));
  }

 private:
  void answer(std::string line) {
    if (std::exchange(answered, true)) return;
    const auto to = connection.lock();
    if (!to) return;
    --to->outstanding_;
    to->answer(std::move(line));
  }
};

SocketConnection::SocketConnection(Fd socket, Peer peer, std::uint64_t number, Service& service)
    : socket_(std::move(socket)), peer_(peer), number_(number), service_(service) {}

Status SocketConnection::start(loop::Loop& loop, std::function<void()> close) {
  close_ = std::move(close);
  auto source = loop.on_fd(socket_.get(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
  if (!source) return failure(std::move(source.error()));
  source_ = std::move(*source);
  return {};
}

bool SocketConnection::notify(const std::string& method, std::string_view params) {
  if (ended_ || doomed_) return false;
  // A slow follower must not cost us more than a look.
  if (backlog_bytes() + params.size() > limits::client_backlog_bytes) return false;
  const std::string line = notification_line(method, params);
  output_ += line;
  if (backlog_bytes() >= flush_bytes) flush();
  watch();
  return true;
}

void SocketConnection::on_ready(std::uint32_t events) {
  const auto alive = shared_from_this();
  if (serving() && !ended_) {
    receive();
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    doomed_ = true;  // nobody is left to answer
  }
  serve_lines();
  flush();
  serve_lines();  // those that waited for room
  if (over()) {
    source_ = loop::Source();
    close_();
    return;
  }
  watch();
}

void SocketConnection::receive() {
  std::array<char, receive_bytes> buffer;  // NOLINT(*-member-init): recv fills what is read
  const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) {
    input_.append(buffer.data(), static_cast<std::size_t>(got));
  } else if (got == 0) {
    ended_ = true;
    // What is left is served like a line: whole, or answered as cut off.
    if (!input_.empty() && input_.back() != '\n') input_ += '\n';
  } else if (errno != EAGAIN && errno != EINTR) {
    doomed_ = true;
  }
}

void SocketConnection::serve_lines() {
  std::size_t served = 0;
  while (serving()) {
    const std::size_t end = input_.find('\n', std::max(served, searched_));
    const std::size_t bytes = (end == std::string::npos ? input_.size() : end) - served;
    if (bytes > limits::control_message_bytes) {
      const Error error{.what = "read a request",
                        .where = {},
                        .why = "longer than " + std::to_string(limits::control_message_bytes) + " bytes",
                        .mend = "send smaller requests; this connection is closed"};
      answer(error_line(nullptr, Code::invalid_request, error));
      flush();
      doomed_ = true;
      return;
    }
    if (end == std::string::npos) {
      searched_ = input_.size();
      break;
    }
    // Serving never touches `input_`: a service that answers at once only appends to `output_`.
    serve(std::string_view(input_).substr(served, bytes));
    served = end + 1;
    searched_ = served;
  }
  input_.erase(0, served);
  searched_ -= std::min(searched_, served);
}

void SocketConnection::serve(std::string_view line) {
  auto request = parse_request(line);
  if (!request) {
    const Malformed& malformed = request.error();
    answer(error_line(malformed.id, malformed.code,
                      Error{.what = "read a request",
                            .where = {},
                            .why = malformed.why,
                            .mend = "send one JSON-RPC 2.0 object a line"}));
    return;
  }
  ++outstanding_;
  const auto pending = std::make_shared<Pending>(weak_from_this(), *request);
  Reply reply = [pending](Answer result) {
    if (result) {
      pending->result(*result);
    } else {
      pending->refuse(Code::refused, result.error());
    }
  };
  try {
    if (service_.call(request->method, request->params, *this, std::move(reply))) return;
  } catch (const json::exception& error) {
    pending->refuse(Code::invalid_params, Error{.what = request->method,
                                                .where = "params",
                                                .why = error.what(),
                                                .mend = "give each param the type that the method expects"});
    return;
  }
  pending->refuse(Code::method_not_found, Error{.what = request->method,
                                                .where = {},
                                                .why = "the daemon has no such method",
                                                .mend = "is the client of the daemon's version?"});
}

void SocketConnection::answer(std::string line) {
  if (output_.empty()) {
    output_ = std::move(line);
  } else {
    output_ += line;
  }
  watch();  // also when there was nothing to send: a place has become free, or the connection is over
}

void SocketConnection::flush() {
  while (backlog_bytes() > 0) {
    const ssize_t sent = send(socket_.get(), output_.data() + sent_, backlog_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      sent_ += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) doomed_ = true;  // the hang-up that epoll reports next closes the connection
    break;
  }
  if (doomed_ || backlog_bytes() == 0) {
    output_.clear();
    sent_ = 0;
  } else if (sent_ >= output_.size() / 2) {  // so that moving the rest costs no more than sending it did
    output_.erase(0, sent_);
    sent_ = 0;
  }
}

bool SocketConnection::serving() const {
  return !doomed_ && outstanding_ < outstanding_max && backlog_bytes() < limits::client_backlog_bytes;
}

bool SocketConnection::over() const {
  return doomed_ || (ended_ && input_.empty() && outstanding_ == 0 && backlog_bytes() == 0);
}

void SocketConnection::watch() {
  std::uint32_t events = EPOLLHUP;
  if (serving() && !ended_) events |= EPOLLIN;
  // Writable also wakes us, at once, to finish what an answer made from outside on_ready has left to do.
  const bool lines_wait = serving() && input_.find('\n', searched_) != std::string::npos;
  if (backlog_bytes() > 0 || lines_wait || over()) events |= EPOLLOUT;
  source_.watch(events);
}

}  // namespace diagnose::control
