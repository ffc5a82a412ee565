#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace diagnose {

struct Log::Impl {
  spdlog::logger logger{"diagnosed", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  bool to_journal = false;
};

namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// sd-daemon(3): "<N>" at the start of a line is its syslog priority.
const char* journal_prefix(Level level) {
  switch (level) {
    case Level::debug: return "<7>";
    case Level::info: return "<6>";
    case Level::warning: return "<4>";
    case Level::error: return "<3>";
  }
  return "<3>";
}

}  // namespace

Log::Log(Level least, bool to_journal) : impl_(std::make_unique<Impl>()) {
  impl_->to_journal = to_journal;
  impl_->logger.set_level(spdlog_level(least));
  impl_->logger.set_pattern(to_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  impl_->logger.flush_on(spdlog::level::trace);
}

Log::~Log() = default;

void Log::write(Level level, std::string_view line) {
  if (impl_->to_journal) {
    impl_->logger.log(spdlog_level(level), "{}{}", journal_prefix(level), line);
  } else {
    impl_->logger.log(spdlog_level(level), "{}", line);
  }
}

}  // namespace diagnose
