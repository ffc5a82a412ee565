#include <array>
#include <cstdio>
#include <limits>

#include "lifespan/lifespan.h"
#include "lifespan/shown.h"

namespace diagnose::lifespan {
namespace {

using namespace std::chrono;

// Reads a text from left to right; once a read has failed all later ones do.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `digits` decimal digits, at most `most`.
  int number(std::size_t digits, int least, int most) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') return fail();
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value < least || value > most ? fail() : value;
  }

  char one_of(std::string_view accepted) {
    if (rest_.empty() || accepted.find(rest_.front()) == std::string_view::npos) {
      fail();
      return '\0';
    }
    const char read = rest_.front();
    rest_.remove_prefix(1);
    return read;
  }

  // ".25" -> 250 ms; digits beyond nanoseconds are cut.
  nanoseconds fraction() {
    if (rest_.empty() || rest_.front() != '.') return nanoseconds{0};
    rest_.remove_prefix(1);
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; rest_.remove_prefix(1), ++digits) {
      if (digits < 9) value = value * 10 + (rest_.front() - '0');
    }
    if (digits == 0) fail();
    for (; digits < 9; ++digits) value *= 10;
    return nanoseconds{value};
  }

  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

 private:
  int fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::string rfc3339(Clock::time_point time) {
  const auto seconds_since = floor<seconds>(time);
  const auto day = floor<days>(seconds_since);
  const year_month_day date{day};
  const hh_mm_ss clock{seconds_since - day};
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return out.data();
}

Result<Clock::time_point> parse_rfc3339(std::string_view text) {
  const auto refused = [&](std::string why) {
    return failure({.what = "time `" + shown(text) + "`",
                    .where = {},
                    .why = std::move(why),
                    .mend = "write it as `2026-11-20T12:00:00Z` or `2026-11-20T13:00:00+01:00`"});
  };
  Scanner scan(text);
  const int year_number = scan.number(4, 0, 9999);
  scan.one_of("-");
  const int month_number = scan.number(2, 1, 12);
  scan.one_of("-");
  const int day_number = scan.number(2, 1, 31);
  scan.one_of("Tt ");
  const hours hour{scan.number(2, 0, 23)};
  scan.one_of(":");
  const minutes minute{scan.number(2, 0, 59)};
  scan.one_of(":");
  const seconds second{scan.number(2, 0, 60)};  // 60: a leap second (RFC 3339, 5.7)
  const nanoseconds fraction = scan.fraction();
  minutes offset{0};
  if (const char sign = scan.one_of("Zz+-"); sign == '+' || sign == '-') {
    offset = hours{scan.number(2, 0, 23)};
    scan.one_of(":");
    offset += minutes{scan.number(2, 0, 59)};
    if (sign == '-') offset = -offset;
  }
  if (!scan.done()) return refused("it is not an RFC 3339 time");

  const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                            day{static_cast<unsigned>(day_number)}};
  if (!date.ok()) return refused("there is no such day");
  // The clock counts nanoseconds in 64 bits: 1677 to 2262.
  if (year_number < 1700 || year_number > 2250) return refused("the year is out of range (1700 to 2250)");
  const auto since = sys_days{date} + hour + minute + second - offset;
  return Clock::time_point{time_point_cast<Clock::duration>(since + fraction)};
}

}  // namespace diagnose::lifespan
