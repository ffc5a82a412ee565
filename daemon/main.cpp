// diagnosed: flags, build, run.
#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

#include "app/daemon.h"
#include "base/log.h"
#include "target/debuginfod.h"
#include "target/elf_reader.h"
#include "target/reader_server.h"

namespace {

using diagnose::spec::Settings;

// Reads --config, or the usual file if it is there.  Faults are told; false: do not start.
bool read_config(const std::string& path, Settings& settings) {
  auto read = diagnose::spec::read_settings_file(path);
  for (const auto& fault : read.faults) std::cerr << fault.text() << "\n";
  settings = std::move(read.settings);
  return read.faults.empty();
}

// A probe holds some seven descriptors (maps, programs, links, the file, the process): the usual 1024 are soon used up.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // refused: fewer probes fit, and each attach says so
}

}  // namespace

int main(int argc, char** argv) {
  // The daemon starts itself so, once for each reader of files: nothing of it that a person would want.
  if (argc == 3 && std::string_view(argv[1]) == "--reader-fd") {
    const std::string_view number = argv[2];
    int socket = -1;
    std::from_chars(number.data(), number.data() + number.size(), socket);
    return diagnose::target::serve_reader(socket, *diagnose::target::make_elf_reader());
  }
  // And so for each debug file that a server may have.
  if (argc == 3 && std::string_view(argv[1]) == "--debug-file") return diagnose::target::print_debug_file(argv[2]);
  CLI::App arguments{
      "diagnosed: measures functions of running programs, from outside, for a time.\n"
      "Example: diagnosed --specs /etc/diagnose/specs --listen 127.0.0.1:9950"};
  std::string config;
  std::vector<std::string> specs;
  std::string listen;
  std::string socket;
  std::string state;
  bool check = false;
  arguments.add_option("--config", config, "settings (default: /etc/diagnose/diagnosed.yaml if it is there)");
  arguments.add_option("--specs", specs, "folder of probe specs, watched; may be given several times");
  arguments.add_option("--listen", listen, "HOST:PORT for /metrics (default 127.0.0.1:9950)");
  arguments.add_option("--socket", socket, "control socket (default /run/diagnose/diagnosed.sock)");
  arguments.add_option("--state", state, "folder for what survives a restart (default: nothing does)");
  arguments.add_flag("--check", check, "read settings and specs, tell every fault, attach nothing");
  arguments.set_version_flag("--version", "diagnosed " DIAGNOSE_VERSION);
  try {
    arguments.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = arguments.exit(error);
    return status == 0 ? 0 : 2;
  }

  constexpr const char* usual_config = "/etc/diagnose/diagnosed.yaml";
  if (config.empty() && ::access(usual_config, F_OK) == 0) config = usual_config;
  Settings settings;
  if (!config.empty() && !read_config(config, settings)) return 1;
  if (!specs.empty()) settings.specs = specs;
  if (!listen.empty()) settings.listen = listen;
  if (!socket.empty()) settings.socket = socket;
  if (!state.empty()) settings.state = state;
  if (check) return diagnose::app::check(settings);

  auto stored = diagnose::state::take_stored();
  raise_descriptor_limit();
  diagnose::app::Daemon::block_signals();
  const bool to_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  diagnose::Log log(settings.log_level, to_journal);
  auto daemon = diagnose::app::Daemon::start(
      {.settings = settings, .config = config, .version = DIAGNOSE_VERSION, .stored = std::move(stored)}, log);
  if (!daemon) {
    std::cerr << "diagnosed: " << daemon.error().text() << "\n";
    return 1;
  }
  return (*daemon)->run();
}
