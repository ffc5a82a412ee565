// Probe: what it costs the target, and what it may cost the daemon: the end of one that is too dear for either.
#include <utility>

#include "app/probe.h"
#include "bpf/contract.h"

namespace diagnose::app {

// Before the price changes: hits so far are paid at the old one.
void Probe::count_cost() {
  const auto words = ledger();
  if (words.size() > LEDGER_HITS) spending_.count(words[LEDGER_HITS]);
  spending_.set_price(price_ns() + (wants_return_ ? parts_.run_times.end : parts_.run_times.call));
}

const Spending& Probe::look_at_cost(BootClock::time_point now) {
  count_cost();
  spending_.look(now);
  return spending_;
}

double Probe::overhead_seconds() const {
  const auto words = ledger();
  return spending_.seconds_at(words.size() > LEDGER_HITS ? words[LEDGER_HITS] : 0);
}

void Probe::trip(Error why) {
  if (ended()) return;
  const auto self = shared_from_this();
  ++error_counts_["tripped"];
  errors_.push_back(why);
  end(State::tripped, why.why);
  parts_.log.warning(why.text());
  if (ended_) ended_(*this);
}

state::Mark Probe::mark() const {
  if (parts_.tombstones == nullptr || rehearsal_) return {};  // it must not condemn the probe of its name
  auto mark = parts_.tombstones->raise(spec_.id);
  if (mark) return std::move(*mark);
  parts_.log.warning(mark.error().text());
  return {};
}

void Probe::quarantine() {
  state_ = State::quarantined;
  ++error_counts_["quarantined"];
  errors_ = {{.what = "attach `" + spec_.id + "`",
              .where = spec_.place.text(),
              .why = "an earlier daemon died while it attached this probe, so it is left alone",
              .mend = "see that daemon's last log lines for the reason; `diagnosectl renew " + spec_.id +
                      "` tries again, and so does a change of its spec"}};
  parts_.log.error(errors_.front().text());
  publish();
}

}  // namespace diagnose::app
