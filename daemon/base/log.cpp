#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/printable.h"

namespace diagnose {

struct Log::Impl {
  spdlog::logger logger{"diagnosed", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  // Another sink for another pattern; both share one mutex.
  spdlog::logger records{"records", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  bool to_journal = false;
};

namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// sd-daemon(3): "<N>" at the start of a line is its syslog priority.
const char* journal_prefix(Level level) {
  switch (level) {
    case Level::debug:
      return "<7>";
    case Level::info:
      return "<6>";
    case Level::warning:
      return "<4>";
    case Level::error:
      return "<3>";
  }
  return "<3>";
}

}  // namespace

Log::Log(Level least, bool to_journal) : impl_(std::make_unique<Impl>()) {
  impl_->to_journal = to_journal;
  impl_->logger.set_level(spdlog_level(least));
  impl_->logger.set_pattern(to_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  impl_->logger.flush_on(spdlog::level::trace);
  impl_->records.set_level(spdlog::level::trace);
  impl_->records.set_pattern("%v");
  impl_->records.flush_on(spdlog::level::trace);
}

Log::~Log() = default;

void Log::write(Level level, std::string_view line) {
  const spdlog::level::level_enum as = spdlog_level(level);
  if (!impl_->logger.should_log(as)) return;
  impl_->logger.log(as, "{}{}", impl_->to_journal ? journal_prefix(level) : "", printable(line));
}

void Log::record(std::string_view json_line) {
  impl_->records.info("{}{}", impl_->to_journal ? journal_prefix(Level::info) : "", json_line);
}

}  // namespace diagnose
