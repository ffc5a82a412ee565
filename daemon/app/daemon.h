// The daemon: owns every part, general first, so that each dies before what it uses.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "spec/settings.h"
#include "state/fd_store.h"

namespace diagnose::app {

struct Options {
  spec::Settings settings;
  std::string config;  // path of diagnosed.yaml, read again at SIGHUP; empty: none
  std::string version;
  state::Stored stored;  // what an earlier daemon has left
};

class Daemon {
 public:
  // Opens sockets, loads the kernel programs, restores and reads specs.  All signals that the daemon catches must be
  // blocked already, in every thread.
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(Options options, Log& log);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Until SIGTERM or SIGINT; gives the exit status.
  int run();

  // The signals to block before any thread starts.
  static void block_signals();

 private:
  struct Impl;
  explicit Daemon(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `--check`: reads settings and every spec, compiles every expression, attaches nothing.  Faults go to `log`'s stream
// as they are; gives the exit status.
[[nodiscard]] int check(const spec::Settings& settings);

}  // namespace diagnose::app
