#include "lifespan/lifespan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "lifespan/shown.h"

namespace diagnose::lifespan {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest = std::chrono::days{36'525};  // 100 years
// The kernel's side counts hits down in a signed word.
constexpr std::uint64_t most_hits = std::numeric_limits<std::int64_t>::max();

struct TimeUnit {
  std::string_view name;
  std::int64_t seconds;
};
constexpr std::array<TimeUnit, 4> units{{{"d", 86'400}, {"h", 3'600}, {"m", 60}, {"s", 1}}};

constexpr std::string_view mend =
    "write `10` (minutes), `90s`, `10m`, `2h`, `7d`, `500 hits`, `10m or 500 hits` or `forever`";

tl::unexpected<Error> refused(std::string_view text, std::string why) {
  return failure(
      {.what = "lifespan `" + shown(text) + "`", .where = {}, .why = std::move(why), .mend = std::string(mend)});
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Everything up to the next word `or`, which is cut off `rest` together with it.
std::string_view next_part(std::string_view& rest) {
  const std::size_t at = rest.find(" or ");
  const std::string_view part = trimmed(rest.substr(0, at));
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 4);
  return part;
}

Result<void> add_time(std::string_view text, std::uint64_t number, std::string_view unit, Lifespan& lifespan) {
  if (unit.empty()) unit = "m";
  const auto* found = std::find_if(units.begin(), units.end(), [&](const TimeUnit& one) { return one.name == unit; });
  if (found == units.end()) return refused(text, "`" + shown(unit) + "` is not a unit of time");
  if (lifespan.time) return refused(text, "it has two times");
  const auto longest_s = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(longest).count());
  if (number > longest_s / static_cast<std::uint64_t>(found->seconds))
    return refused(text, "it is longer than 100 years");
  lifespan.time = std::chrono::seconds(static_cast<std::int64_t>(number) * found->seconds);
  return {};
}

Result<void> add_part(std::string_view text, std::string_view part, Lifespan& lifespan) {
  if (part.empty()) return refused(text, text.empty() ? "it is empty" : "a part of it is empty");
  if (part.starts_with('-')) return refused(text, "it must be greater than zero");
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
  if (error == std::errc::invalid_argument) return refused(text, "`" + shown(part) + "` does not begin with a number");
  const std::string_view unit = trimmed(part.substr(static_cast<std::size_t>(end - part.data())));
  const bool is_hits = unit == "hits" || unit == "hit";
  if (error == std::errc::result_out_of_range || (is_hits && number > most_hits)) {
    return refused(text, "the number is too large");
  }
  if (number == 0) return refused(text, "it must be greater than zero");
  if (!is_hits) return add_time(text, number, unit, lifespan);
  if (lifespan.hits) return refused(text, "it has two numbers of hits");
  lifespan.hits = number;
  return {};
}

}  // namespace

Result<Lifespan> parse(std::string_view text) {
  Lifespan lifespan{.time = std::nullopt, .hits = std::nullopt};
  std::string_view rest = trimmed(text);
  if (rest == "forever") return lifespan;
  do {
    const std::string_view part = next_part(rest);
    if (part == "forever") return refused(text, "`forever` stands alone");
    if (const auto added = add_part(text, part, lifespan); !added) return tl::unexpected(added.error());
  } while (!rest.empty());
  return lifespan;
}

std::string text(const Lifespan& lifespan) {
  if (lifespan.forever()) return "forever";
  std::string out;
  if (lifespan.time) {
    // parse() knows no fractions; up, so that nothing ends early.
    const std::int64_t seconds = std::chrono::ceil<std::chrono::seconds>(*lifespan.time).count();
    for (const TimeUnit& unit : units) {
      if (seconds % unit.seconds != 0) continue;
      out = std::to_string(seconds / unit.seconds) + std::string(unit.name);
      break;
    }
  }
  if (lifespan.hits) {
    if (!out.empty()) out += " or ";
    out += std::to_string(*lifespan.hits) + (*lifespan.hits == 1 ? " hit" : " hits");
  }
  return out;
}

std::optional<Clock::time_point> expiry(const Lifespan& lifespan, Clock::time_point lastmodified) {
  if (!lifespan.time) return std::nullopt;
  // Compared in the coarser unit: the lifespan in the clock's nanoseconds may not fit.
  const auto left =
      std::chrono::floor<milliseconds>(Clock::time_point::max() - std::max(lastmodified, Clock::time_point{}));
  if (*lifespan.time >= left) return Clock::time_point::max();
  return lastmodified + *lifespan.time;
}

}  // namespace diagnose::lifespan
