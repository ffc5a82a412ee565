#include "spec/spec.h"

#include <array>
#include <cstdio>

namespace diagnose::spec {

std::string Place::text() const {
  if (line <= 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Fault::text() const {
  std::string shown = place.text();
  for (const std::string* part : {&what, &why, &mend}) {
    if (part->empty()) continue;
    if (!shown.empty()) shown += ": ";
    shown += *part;
  }
  return shown;
}

Error Fault::error() const {
  return {.what = what, .where = place.text(), .why = why, .mend = mend};
}

std::string Target::place_text() const {
  if (place_by == PlaceBy::line) return function.text + ":" + std::to_string(line);
  if (place_by != PlaceBy::address) return function.text;
  std::array<char, 24> shown{};
  std::snprintf(shown.data(), shown.size(), "0x%llx", static_cast<unsigned long long>(raw(address)));
  return shown.data();
}

std::string Target::text() const {
  const std::string at = place_text();
  std::string processes;
  switch (by) {
    case TargetBy::pid:
      for (const pid_t pid : pids) processes += (processes.empty() ? "pid " : ",") + std::to_string(pid);
      break;
    case TargetBy::exe:
      if (module.empty()) return pattern + ":" + at;
      processes = pattern;
      break;
    case TargetBy::comm:
      processes = "comm " + pattern;
      break;
    case TargetBy::all:
      return module + ":" + at;
  }
  return processes + " " + (module.empty() ? "" : module + ":") + at;
}

}  // namespace diagnose::spec
