// build/bin/diagnosed, started in a folder of its own, and diagnosectl speaking to it.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "support/files.h"
#include "support/links.h"
#include "support/metrics_text.h"
#include "support/net.h"
#include "support/process.h"

namespace diagnose::test {

[[nodiscard]] std::string binary(const std::string& name);  // build/bin/NAME

// diagnosectl against the daemon at `socket`.
Ended run_cli(const std::string& socket, const Command& arguments, std::chrono::milliseconds patience = 60s);

struct DaemonOptions {
  std::map<std::string, std::string> specs = {};  // file name -> text, in --specs before the start
  std::string config = {};                        // text of diagnosed.yaml
  bool budgets = false;  // the daemon's own; else none that a test which hammers a function would meet
  Command extra = {};    // further arguments
  std::shared_ptr<TemporaryFolder> folder = {};  // to start in the folder of an earlier one
  Command wrapper = {};                          // a program that becomes diagnosed: setpriv and its options
};

class Daemon {
 public:
  // Starts it and waits until it answers; throws with its log if it does not.
  explicit Daemon(const DaemonOptions& options = {});

  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string socket() const { return folder_->file("diagnosed.sock"); }
  [[nodiscard]] std::string specs() const { return folder_->file("specs"); }
  [[nodiscard]] std::string state() const { return folder_->file("state"); }
  [[nodiscard]] std::shared_ptr<TemporaryFolder> folder() const { return folder_; }
  [[nodiscard]] bool running() { return process_->running(); }

  Ended ctl(const Command& arguments, std::chrono::milliseconds patience = 60s) const;
  // `arguments` and --json; throws unless the status is 0 and the output is JSON.
  nlohmann::json json(Command arguments) const;
  // A client that keeps running, such as `attach --follow` or `events`.
  [[nodiscard]] Process client(const Command& arguments) const;

  [[nodiscard]] Metrics metrics() const;
  [[nodiscard]] std::string metrics_text() const;
  // The probe's line of `list`; nullopt if it is not there.
  [[nodiscard]] std::optional<nlohmann::json> listed(const std::string& id) const;
  [[nodiscard]] std::string state_of(const std::string& id) const;  // empty if it is not listed
  void write_spec(const std::string& name, const std::string& text) const;

  void signal(int number) const { process_->signal(number); }
  Ended terminate(std::chrono::milliseconds patience = 60s);  // SIGTERM, and how it ended
  void kill();                                                // SIGKILL, and waits

 private:
  std::shared_ptr<TemporaryFolder> folder_;
  std::uint16_t port_;
  std::unique_ptr<Process> process_;
};

// The arguments that Daemon gives diagnosed, for tests that start it themselves.
[[nodiscard]] Command daemon_command(const TemporaryFolder& folder, std::uint16_t port);

}  // namespace diagnose::test
