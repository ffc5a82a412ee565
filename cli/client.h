// The daemon at the other end of its socket: one request at a time, notifications in between.  Blocking.  One thread.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "cli/outcome.h"

namespace diagnose::cli {

class Client {
 public:
  // `interrupt_fd`, if any, is a signalfd: see interrupted().  Borrowed.
  [[nodiscard]] static Outcome<Client> connect(const std::string& path, int interrupt_fd = -1);

  // Notifications go to `receive` while call() and listen() wait.
  void on_notification(std::function<void(const nlohmann::json& params)> receive) { receive_ = std::move(receive); }

  // How long call() waits for an answer; a minute unless told.
  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }

  // The method's result.  The first interrupt does not end the wait, so that a probe just attached can be detached; the
  // second does.
  [[nodiscard]] Outcome<nlohmann::json> call(const std::string& method, const nlohmann::json& params);

  // Hands out notifications until `until` or an interrupt.  Fails when the daemon goes away.
  [[nodiscard]] Outcome<void> listen(std::chrono::steady_clock::time_point until);

  // One of the signals of `interrupt_fd` has come.
  [[nodiscard]] bool interrupted() const { return interrupts_ > 0; }

 private:
  enum class Woken { readable, late, interrupted };

  Client(Fd socket, std::string path, int interrupt_fd);
  [[nodiscard]] Outcome<Woken> wait(std::chrono::steady_clock::time_point until);
  [[nodiscard]] Outcome<void> receive_some();
  [[nodiscard]] Outcome<std::optional<nlohmann::json>> next_message();
  [[nodiscard]] Outcome<void> send(std::string_view line);
  [[nodiscard]] tl::unexpected<Failure> gone(std::string why) const;

  Fd socket_;
  std::string path_;
  int interrupt_fd_ = -1;
  int interrupts_ = 0;
  std::chrono::milliseconds patience_ = std::chrono::minutes(1);  // a detach of thousands takes its time
  int last_id_ = 0;
  std::string input_;
  std::size_t taken_ = 0;     // bytes of `input_` already handed out
  std::size_t searched_ = 0;  // bytes of `input_` known to hold no newline
  std::function<void(const nlohmann::json&)> receive_;
};

}  // namespace diagnose::cli
