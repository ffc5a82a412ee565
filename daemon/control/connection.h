// One client's socket: lines in, buffered lines out, answers matched to requests.  Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "control/protocol.h"
#include "control/server.h"
#include "loop/loop.h"

namespace diagnose::control {

class SocketConnection final : public Connection, public std::enable_shared_from_this<SocketConnection> {
 public:
  SocketConnection(Fd socket, Peer peer, std::uint64_t number, Service& service);

  // Starts reading.  `close` is called once, from the loop, when the connection is over; it may destroy it.
  [[nodiscard]] Status start(loop::Loop& loop, std::function<void()> close);

  [[nodiscard]] std::uint64_t number() const override { return number_; }
  [[nodiscard]] const Peer& peer() const override { return peer_; }
  bool notify(const std::string& method, std::string_view params) override;

 private:
  struct Pending;  // one request that waits for its answer

  void on_ready(std::uint32_t events);
  void receive();
  void serve_lines();
  void serve(std::string_view line);
  void answer(std::string line);
  void flush();
  void watch();
  [[nodiscard]] bool serving() const;
  [[nodiscard]] bool over() const;
  [[nodiscard]] std::size_t backlog_bytes() const { return output_.size() - sent_; }

  Fd socket_;
  Peer peer_;
  std::uint64_t number_;
  Service& service_;
  std::function<void()> close_;
  std::string input_;         // not yet served
  std::size_t searched_ = 0;  // bytes of `input_` known to hold no newline
  std::string output_;
  std::size_t sent_ = 0;         // bytes of `output_` that the kernel has
  std::size_t outstanding_ = 0;  // requests without an answer
  bool ended_ = false;           // the client has shut its side down: it still gets its answers
  bool doomed_ = false;          // we have had enough of it
  loop::Source source_;          // declared last, dies first
};

}  // namespace diagnose::control
