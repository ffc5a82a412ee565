// Texts of specs that several tests use.
#pragma once

#include <fmt/format.h>
#include <string>
#include <sys/types.h>

namespace diagnose::test {

// One probe of a spec file, without the `probes:` line.
inline std::string probe_text(const std::string& id, const std::string& target, const std::string& instrument,
                              const std::string& lifespan = "10m") {
  return fmt::format("  {}:\n    target: {{{}}}\n    instrument: {{{}}}\n    lifespan: {}\n", id, target, instrument,
                     lifespan);
}

inline std::string spec_text(const std::string& id, const std::string& target, const std::string& instrument,
                             const std::string& lifespan = "10m") {
  return "probes:\n" + probe_text(id, target, instrument, lifespan);
}

inline std::string at(pid_t pid, const std::string& function) {
  return fmt::format("pid: {}, function: {}", pid, function);
}

inline std::string counter(const std::string& name) {
  return "type: counter, name: " + name;
}

}  // namespace diagnose::test
