#include "spec/spec.h"

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

std::string Target::text() const {
  std::string processes;
  switch (by) {
    case TargetBy::pid:
      for (const pid_t pid : pids) processes += (processes.empty() ? "pid " : ",") + std::to_string(pid);
      break;
    case TargetBy::exe:
      if (module.empty()) return pattern + ":" + function.text;
      processes = pattern;
      break;
    case TargetBy::comm:
      processes = "comm " + pattern;
      break;
    case TargetBy::all:
      return module + ":" + function.text;
  }
  return processes + " " + (module.empty() ? "" : module + ":") + function.text;
}

}  // namespace diagnose::spec
