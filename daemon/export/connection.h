// One client: bytes in, requests, answers, bytes out.  Never blocks; HTTP thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <poll.h>
#include <string>

#include "base/fd.h"
#include "export/http.h"

namespace diagnose::exporter {

using Clock = std::chrono::steady_clock;

class Connection {
 public:
  // `socket` is nonblocking.  Borrows `pages`.
  Connection(Fd socket, const Pages& pages, Clock::time_point now);

  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] short events() const { return state_ == State::writing ? POLLOUT : POLLIN; }
  // When step() is due though the socket is silent.
  [[nodiscard]] Clock::time_point deadline() const { return deadline_; }

  // The socket is ready or the deadline has passed.  False: the connection is over.
  [[nodiscard]] bool step(bool ready, Clock::time_point now);

 private:
  enum class State {
    reading,
    writing,
    closing,  // our side is shut: what the peer still sends is thrown away, or it would lose the answer to a reset
  };

  [[nodiscard]] bool read(Clock::time_point now);
  [[nodiscard]] bool serve(Clock::time_point now);
  [[nodiscard]] bool flush(Clock::time_point now);
  [[nodiscard]] bool discard();
  void send(std::string text, bool close, Clock::time_point now);

  Fd socket_;
  const Pages& pages_;
  State state_ = State::reading;
  Clock::time_point deadline_;
  std::string in_;
  std::string out_;
  std::size_t sent_ = 0;
  bool close_after_ = false;
};

}  // namespace diagnose::exporter
