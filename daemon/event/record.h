// A decoded event: what followers, logs and sinks see.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "event/layout.h"

namespace diagnose::event {

struct Record {
  std::chrono::system_clock::time_point time;
  std::string probe;
  std::string instrument;  // its name; for a log without one "log"
  std::string event;       // "call", "return", "error"
  pid_t pid = 0;
  pid_t tid = 0;
  std::string comm;
  Value value;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, Value>> fields;
  std::string message;  // a log's text; empty if it has none
  // Names of labels and fields whose texts went on where their room ended, and "value" if its did.
  std::vector<std::string> truncated;
};

}  // namespace diagnose::event
