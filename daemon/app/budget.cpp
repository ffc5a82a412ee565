#include "app/budget.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "app/own_series.h"
#include "app/probe.h"
#include "app/roster.h"
#include "base/limits.h"

namespace diagnose::app {
namespace {

double in_seconds(BootClock::duration time) {
  return std::chrono::duration<double>(time).count();
}

bool is_attached(const Probe& probe) {
  return probe.state() == State::armed || probe.state() == State::partial;
}

// "3,100": a rate is read at a glance.
std::string grouped(double number) {
  std::string digits = fmt::format("{:.0f}", std::round(number));
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string time_text(double ns) {
  return ns < 1000 ? fmt::format("{:.3g} ns", ns) : fmt::format("{:.3g} us", ns / 1000);
}

}  // namespace

// ---- arithmetic ----

void Spending::restart(BootClock::time_point at) {
  *this = Spending();
  looked_ = at;
}

void Spending::resume(std::uint64_t hits, double seconds) {
  hits_ = hits_looked_ = hits;
  seconds_ = seconds_looked_ = seconds;
}

double Spending::seconds_at(std::uint64_t hits) const {
  return seconds_ + static_cast<double>(hits > hits_ ? hits - hits_ : 0) * price_ns_ * 1e-9;
}

void Spending::count(std::uint64_t hits) {
  seconds_ = seconds_at(hits);
  hits_ = std::max(hits_, hits);
}

void Spending::look(BootClock::time_point at) {
  window_ = at - std::exchange(looked_, at);
  const double spent = seconds_ - std::exchange(seconds_looked_, seconds_);
  const auto hits = static_cast<double>(hits_ - std::exchange(hits_looked_, hits_));
  const double length = in_seconds(window_);
  share_ = length > 0 ? spent / length : 0;
  rate_ = length > 0 ? hits / length : 0;
}

void Excess::window(BootClock::duration length, double share, double budget) {
  if (share > budget) {
    over_for_ += std::min<BootClock::duration>(length, limits::overhead_look);
  } else {
    over_for_ = {};
  }
}

bool Excess::too_long() const {
  // Timers are late, never early, but for rounding: the last window is not waited for again because of that.
  return over_for_ + std::chrono::milliseconds(1) >= limits::overhead_patience;
}

std::string share_text(double share) {
  return fmt::format("{:.3g} % of a core", share * 100);
}

std::string cost_text(const Spending& spending) {
  return fmt::format("{} ({} hits/s x {})", share_text(spending.share()), grouped(spending.hits_a_second()),
                     time_text(spending.price_ns()));
}

// ---- the look ----

void Budget::settle() {
  const auto probes = roster_.all();
  const bool wanted = std::any_of(probes.begin(), probes.end(), [](const auto& probe) { return is_attached(*probe); });
  if (wanted && ticket_ == 0) {
    looked_ = BootClock::now();
    look_after(limits::overhead_look);
  } else if (!wanted && ticket_ != 0) {
    parts_.agenda.cancel(std::exchange(ticket_, 0));
    excess_.clear();
    host_excess_.forget();
  }
}

void Budget::look_after(BootClock::duration delay) {
  period_ = delay;
  ticket_ = parts_.agenda.after(delay, [this] { look(); });
}

void Budget::look() {
  ticket_ = 0;
  const auto now = BootClock::now();
  const auto window = now - std::exchange(looked_, now);
  bool hit = false;
  const double sum = look_at_all(now, hit);
  host_excess_.window(window, sum, host_);
  if (host_excess_.too_long()) trip_dearest(sum);
  const auto longer = std::min<BootClock::duration>(period_ * 2, limits::overhead_look_longest);
  look_after(hit ? limits::overhead_look : longer);
  settle();
}

double Budget::look_at_all(BootClock::time_point now, bool& hit) {
  double sum = 0;
  std::map<std::uint32_t, Excess> kept;
  for (const auto& probe : roster_.all()) {
    if (!is_attached(*probe)) continue;
    const Spending& spending = probe->look_at_cost(now);
    hit = hit || spending.hits_a_second() > 0;
    Excess& excess = kept[probe->number()];
    excess = excess_[probe->number()];
    excess.window(spending.window(), spending.share(), probe->budget());
    if (excess.too_long()) {
      kept.erase(probe->number());
      probe->trip({.what = "keep `" + probe->id() + "` attached",
                   .where = probe->spec().target.text(),
                   .why = "cost " + cost_text(spending) + ", budget " + share_text(probe->budget()),
                   .mend = "probe a function that is called less often, or allow more: `limits: {overhead: 50%}`; "
                           "`diagnosectl renew " +
                           probe->id() + "` attaches it again"});
    } else {
      sum += spending.share();
    }
  }
  excess_ = std::move(kept);
  return sum;
}

void Budget::trip_dearest(double sum) {
  std::shared_ptr<Probe> dearest;
  for (const auto& probe : roster_.all()) {
    if (!is_attached(*probe)) continue;
    if (!dearest || probe->spending().share() > dearest->spending().share()) dearest = probe;
  }
  if (!dearest) return;
  host_excess_.forget();
  dearest->trip({.what = "keep `" + dearest->id() + "` attached",
                 .where = dearest->spec().target.text(),
                 .why = "cost " + cost_text(dearest->spending()) + ", the dearest of all probes, which together cost " +
                        share_text(sum) + ", budget of the host " + share_text(host_),
                 .mend = "take other probes away, or allow more: `overhead: {host: 50%}` in diagnosed.yaml; "
                         "`diagnosectl renew " +
                         dearest->id() + "` attaches it again"});
}

}  // namespace diagnose::app
