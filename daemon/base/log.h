// The daemon's own log: lines for people, on stderr, journald-friendly (no time stamps of our own when the journal adds
// them).  Thread-safe.
#pragma once

#include <memory>
#include <string_view>

namespace diagnose {

enum class Level { debug, info, warning, error };

class Log {
 public:
  // `to_journal`: prefix each line with <N> syslog priorities instead of a time stamp.
  explicit Log(Level least = Level::info, bool to_journal = false);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void debug(std::string_view line) { write(Level::debug, line); }
  void info(std::string_view line) { write(Level::info, line); }
  void warning(std::string_view line) { write(Level::warning, line); }
  void error(std::string_view line) { write(Level::error, line); }
  // Control characters in `line` are written as \xNN: a line stays one line.
  void write(Level level, std::string_view line);
  // The record of a log instrument, whatever the level: the line as it is, without time stamp.  A JSON text has its
  // control characters escaped already.
  void record(std::string_view json_line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace diagnose
