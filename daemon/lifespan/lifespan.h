// When a probe ends.  Pure: no clock is read here, no system call made.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace diagnose::lifespan {

using Clock = std::chrono::system_clock;

// `10` (minutes), `90s`, `10m`, `2h`, `7d`, `500 hits`, `10m or 500 hits`, `forever`.
struct Lifespan {
  std::optional<std::chrono::milliseconds> time = limits::default_lifespan;  // nullopt: no end by time
  std::optional<std::uint64_t> hits;                                         // nullopt: no end by hits

  [[nodiscard]] bool forever() const { return !time && !hits; }
  friend bool operator==(const Lifespan&, const Lifespan&) = default;
};

// Fails (error with `what`, `why`, `mend`; the caller adds `where`) on anything else, zero and negative numbers
// included, and on times beyond 100 years.
[[nodiscard]] Result<Lifespan> parse(std::string_view text);

// The shortest text with a unit that parse() reads back as `lifespan`: "10m or 500 hits".  Parts of a second are
// rounded up.
[[nodiscard]] std::string text(const Lifespan& lifespan);

// expires = lastmodified + lifespan; nullopt: never by time.
[[nodiscard]] std::optional<Clock::time_point> expiry(const Lifespan& lifespan, Clock::time_point lastmodified);

// RFC 3339 in UTC with seconds: "2026-11-20T12:00:00Z"; reads fractions and offsets as well.
[[nodiscard]] std::string rfc3339(Clock::time_point time);
[[nodiscard]] Result<Clock::time_point> parse_rfc3339(std::string_view text);

}  // namespace diagnose::lifespan
