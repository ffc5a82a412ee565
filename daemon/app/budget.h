// What probes cost their targets, and what happens to those that cost too much (design D10).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/agenda.h"
#include "base/clock.h"
#include "base/result.h"

namespace diagnose::app {

class Probe;
class Roster;
struct Parts;

// What one probe has cost so far: its hits, each at the price of its time.  Pure.
class Spending {
 public:
  // The programs are new: hits start at zero.
  void restart(BootClock::time_point at);
  // They have been at work before: so many hits, which have cost so much.
  void resume(std::uint64_t hits, double seconds);
  // So many hits since then; those that are new cost the price set last.  Counts never go back.
  void count(std::uint64_t hits);
  // What each hit costs from now on.
  void set_price(double ns) { price_ns_ = ns; }
  // What is paid beside, such as records.
  void charge_ns(double ns) { seconds_ += ns * 1e-9; }
  // Ends a window, for share() and the like; the first begins at restart().
  void look(BootClock::time_point at);

  [[nodiscard]] double seconds() const { return seconds_; }
  // The same, had `hits` been counted.
  [[nodiscard]] double seconds_at(std::uint64_t hits) const;
  // Of the last window: cost as a fraction of one core, hits, length.
  [[nodiscard]] double share() const { return share_; }
  [[nodiscard]] double hits_a_second() const { return rate_; }
  [[nodiscard]] BootClock::duration window() const { return window_; }
  [[nodiscard]] double price_ns() const { return price_ns_; }

 private:
  std::uint64_t hits_ = 0;
  double price_ns_ = 0;
  double seconds_ = 0;
  // Where the window began.
  BootClock::time_point looked_{};
  std::uint64_t hits_looked_ = 0;
  double seconds_looked_ = 0;
  // The last one.
  BootClock::duration window_{};
  double share_ = 0;
  double rate_ = 0;
};

// How long something has been over its budget without a break.  Pure.
class Excess {
 public:
  // A window of `length` with this share.  A long one says little about each of its moments, so it counts for no more
  // than limits::overhead_look.
  void window(BootClock::duration length, double share, double budget);
  void forget() { over_for_ = {}; }
  [[nodiscard]] bool too_long() const;

 private:
  BootClock::duration over_for_{};
};

// "7.4 % of a core (3,100 hits/s x 24 us)"
[[nodiscard]] std::string cost_text(const Spending& spending);
// "5 % of a core"
[[nodiscard]] std::string share_text(double share);

// Looks at every probe now and then while some are attached, and trips those over their budget.  Loop thread only.
class Budget {
 public:
  // Borrows both.  `host` is the budget of all probes together.
  Budget(Parts& parts, Roster& roster, double host) : parts_(parts), roster_(roster), host_(host) {}

  void set_host(double host) { host_ = host; }
  // Probes were attached, or have gone: starts or stops looking.
  void settle();

 private:
  void look();
  void look_after(BootClock::duration delay);
  // Ends every probe's window and trips those over their own budget; gives the shares of the others.
  double look_at_all(BootClock::time_point now, bool& hit);
  void trip_dearest(double sum);

  Parts& parts_;
  Roster& roster_;
  double host_;
  Agenda::Ticket ticket_ = 0;
  BootClock::duration period_{};
  BootClock::time_point looked_{};
  std::map<std::uint32_t, Excess> excess_;  // by probe number
  Excess host_excess_;
};

}  // namespace diagnose::app
