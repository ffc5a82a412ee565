// diagnosed.yaml: how the daemon itself runs.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "spec/spec.h"

namespace diagnose::spec {

struct Settings {
  std::vector<std::string> specs;         // folders, watched
  std::string listen = "127.0.0.1:9950";  // empty: no HTTP
  std::string socket = "/run/diagnose/diagnosed.sock";
  std::string state;                                        // folder; empty: nothing survives a restart
  std::chrono::milliseconds retention = limits::retention;  // of an ended probe's series
  Level log_level = Level::info;
  double probe_overhead = limits::probe_overhead;  // budget of a probe that names none, as a fraction of a core
  double host_overhead = limits::host_overhead;    // of all probes together
};

struct ReadSettings {
  Settings settings;
  std::vector<Fault> faults;
};

// Every fault at once; what is wrong keeps its default.
[[nodiscard]] ReadSettings read_settings(std::string_view text, const std::string& file);
[[nodiscard]] ReadSettings read_settings_file(const std::string& path);

}  // namespace diagnose::spec
