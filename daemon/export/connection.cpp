#include "export/connection.h"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

#include "export/answer.h"
#include "export/request.h"

namespace diagnose::exporter {
namespace {

using namespace std::chrono_literals;

constexpr auto idle_time =
    75s;  // between requests; longer than the usual scrape interval, so that scrapers stay connected
constexpr auto request_time = 10s;  // from a request's first byte to its last
constexpr auto answer_time = 30s;   // from an answer's first byte to its last
constexpr auto closing_time = 1s;   // for the peer to read the last answer

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Connection::Connection(Fd socket, const Pages& pages, Clock::time_point now)
    : socket_(std::move(socket)), pages_(pages), deadline_(now + request_time) {}

bool Connection::step(bool ready, Clock::time_point now) {
  if (now >= deadline_) {
    // Only a request begun deserves an answer; an idle connection just ends.
    if (state_ != State::reading || in_.empty()) return false;
    send(refusal(408), true, now);
    return flush(now);
  }
  if (!ready) return true;
  switch (state_) {
    case State::reading:
      return read(now);
    case State::writing:
      return flush(now) && serve(now);  // the next request may be here already
    case State::closing:
      return discard();
  }
  return false;
}

bool Connection::read(Clock::time_point now) {
  std::array<char, 4096> bytes;
  const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (size == 0) return false;
  if (size < 0) return would_block();
  if (in_.empty()) deadline_ = now + request_time;
  in_.append(bytes.data(), static_cast<std::size_t>(size));
  return serve(now);
}

// Answers what is complete in `in_`, one request after the other.
bool Connection::serve(Clock::time_point now) {
  while (state_ == State::reading) {
    const Parsed parsed = parse_request(in_);
    if (parsed.status == 0) return true;
    if (parsed.status != 200) {
      send(refusal(parsed.status), true, now);
    } else {
      in_.erase(0, parsed.used);
      const bool close = !parsed.request.keep_alive || parsed.request.has_body;
      send(answer(parsed.request, pages_, close), close, now);
    }
    if (!flush(now)) return false;
  }
  return true;
}

void Connection::send(std::string text, bool close, Clock::time_point now) {
  out_ = std::move(text);
  sent_ = 0;
  close_after_ = close;
  state_ = State::writing;
  deadline_ = now + answer_time;
}

bool Connection::flush(Clock::time_point now) {
  while (sent_ < out_.size()) {
    const ssize_t size = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (size < 0) return would_block();
    sent_ += static_cast<std::size_t>(size);
  }
  out_ = std::string();  // gives the memory of a large scrape back
  if (close_after_) {
    (void)::shutdown(socket_.get(), SHUT_WR);  // fails if the peer has gone: then the next read says so
    state_ = State::closing;
    deadline_ = now + closing_time;
    return true;
  }
  state_ = State::reading;
  deadline_ = now + (in_.empty() ? idle_time : request_time);
  return true;
}

bool Connection::discard() {
  std::array<char, 4096> bytes;
  const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  return size > 0 || (size < 0 && would_block());
}

}  // namespace diagnose::exporter
