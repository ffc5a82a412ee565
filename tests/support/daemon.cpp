#include "support/daemon.h"

#include <filesystem>
#include <signal.h>
#include <stdexcept>

namespace diagnose::test {

std::string binary(const std::string& name) {
  return TEST_BINARY_DIR "/bin/" + name;
}

Ended run_cli(const std::string& socket, const Command& arguments, std::chrono::milliseconds patience) {
  Command command = {binary("diagnosectl"), "--socket", socket};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command, "", patience);
}

Command daemon_command(const TemporaryFolder& folder, std::uint16_t port) {
  return {binary("diagnosed"),
          "--specs",
          folder.file("specs"),
          "--listen",
          "127.0.0.1:" + std::to_string(port),
          "--socket",
          folder.file("diagnosed.sock"),
          "--state",
          folder.file("state")};
}

Daemon::Daemon(const DaemonOptions& options)
    : folder_(options.folder ? options.folder : std::make_shared<TemporaryFolder>()), port_(free_port()) {
  std::filesystem::create_directories(specs());
  for (const auto& [name, text] : options.specs) write_spec(name, text);
  // The log goes to a file: nobody reads a pipe while the test is busy.
  Command command = {"/bin/sh", "-c", "exec \"$@\" 2>\"$0\"", folder_->file("log")};
  command.insert(command.end(), options.wrapper.begin(), options.wrapper.end());
  for (const std::string& argument : daemon_command(*folder_, port_)) command.push_back(argument);
  const std::string budgets = options.budgets ? "" : "overhead: {probe: 10000%, host: 10000%}\n";
  write_file(folder_->file("diagnosed.yaml"), options.config + "\n" + budgets);
  command.insert(command.end(), {"--config", folder_->file("diagnosed.yaml")});
  command.insert(command.end(), options.extra.begin(), options.extra.end());
  process_ = std::make_unique<Process>(command);
  const bool answers = eventually(
      [&] {
        if (!process_->running()) return true;
        const auto ready = http_get(port_, "/-/ready");
        return ready && ready->status == 200 && UnixClient(socket()).connected();
      },
      120s);
  if (!answers || !process_->running()) {
    throw std::runtime_error("diagnosed does not answer; its log:\n" + read_file(folder_->file("log")));
  }
  // The breakpoints with which it measured its prices go a moment after the start; tests count links.
  const bool has_probes = !options.specs.empty() || options.folder;
  if (!has_probes && !eventually([&] { return links_of(pid()).empty(); })) {
    throw std::runtime_error("diagnosed keeps links of no probe");
  }
}

Ended Daemon::ctl(const Command& arguments, std::chrono::milliseconds patience) const {
  return run_cli(socket(), arguments, patience);
}

nlohmann::json Daemon::json(Command arguments) const {
  arguments.emplace_back("--json");
  const Ended ended = ctl(arguments);
  if (ended.status != 0) throw std::runtime_error("diagnosectl " + arguments.at(0) + ": " + ended.err + ended.out);
  return nlohmann::json::parse(ended.out);
}

Process Daemon::client(const Command& arguments) const {
  Command command = {binary("diagnosectl"), "--socket", socket()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Process(command);
}

std::string Daemon::metrics_text() const {
  const auto answer = http_get(port_, "/metrics");
  if (!answer) throw std::runtime_error("/metrics does not answer");
  if (answer->status != 200) {
    throw std::runtime_error("/metrics answers " + std::to_string(answer->status) + ": " + answer->body);
  }
  return answer->body;
}

Metrics Daemon::metrics() const {
  return Metrics(metrics_text());
}

std::optional<nlohmann::json> Daemon::listed(const std::string& id) const {
  const nlohmann::json list = json({"list"});
  for (const auto& probe : list.at("probes")) {
    if (probe.at("id") == id) return probe;
  }
  return std::nullopt;
}

std::string Daemon::state_of(const std::string& id) const {
  const auto probe = listed(id);
  return probe ? probe->at("state").get<std::string>() : std::string();
}

void Daemon::write_spec(const std::string& name, const std::string& text) const {
  write_file(std::filesystem::path(specs()) / name, text);
}

Ended Daemon::terminate(std::chrono::milliseconds patience) {
  signal(SIGTERM);
  Ended ended = process_->finish(patience);
  ended.err += read_file(folder_->file("log"));
  return ended;
}

void Daemon::kill() {
  signal(SIGKILL);
  process_->finish();
}

}  // namespace diagnose::test
