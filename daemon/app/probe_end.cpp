// Probe: when and how it ends.
#include <utility>

#include "app/probe.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

// The message of the last call may have been lost to a full ring.
constexpr auto hits_poll = 1s;
// After this many polls without an end, calls that are still open (a thread that ended inside, a call that never comes
// back) are waited for no longer.
constexpr int stalled_polls_most = 5;

}  // namespace

std::optional<lifespan::Clock::time_point> Probe::expires() const {
  return lifespan::expiry(spec_.lifespan, spec_.lastmodified);
}

// Decided once, on a clock that nobody sets.
void Probe::schedule_end() {
  const auto expiry = expires();
  ends_at_.reset();
  if (expiry) {
    ends_at_ = BootClock::now() + std::chrono::duration_cast<BootClock::duration>(*expiry - lifespan::Clock::now());
  }
  stalled_polls_ = 0;
  wait_for_end();
}

void Probe::wait_for_end() {
  parts_.agenda.cancel(end_ticket_);
  end_ticket_ = 0;
  std::optional<BootClock::duration> delay;
  if (ends_at_) delay = *ends_at_ - BootClock::now();
  if (spec_.lifespan.hits && (!delay || *delay > hits_poll)) delay = hits_poll;
  if (!delay) return;
  end_ticket_ = parts_.agenda.after(*delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_for_end();
  });
}

void Probe::look_for_end() {
  if (ended()) return;
  if (ends_at_ && *ends_at_ <= BootClock::now()) {
    end(State::expired, "its lifespan of " + lifespan::text(spec_.lifespan) + " is over");
    if (ended_) ended_(*this);
  } else if (hits_used_up()) {
    spent();
  } else {
    wait_for_end();
  }
}

bool Probe::hits_used_up() {
  if (!spec_.lifespan.hits || !loaded_ || loaded_->hits_left() > 0) return false;
  const std::int64_t open = loaded_->ends_left();
  stalled_polls_ = open == last_open_ ? stalled_polls_ + 1 : 0;
  last_open_ = open;
  return open <= 0 || stalled_polls_ >= stalled_polls_most;
}

void Probe::spent() {
  if (ended()) return;
  const std::uint64_t hits = spec_.lifespan.hits.value_or(0);
  end(State::expired, "its " + std::to_string(hits) + (hits == 1 ? " hit is" : " hits are") + " used up");
  if (ended_) ended_(*this);
}

void Probe::renew(lifespan::Lifespan lifespan, lifespan::Clock::time_point lastmodified) {
  spec_.lifespan = lifespan;
  spec_.lastmodified = lastmodified;
  spec_.written["lifespan"] = lifespan::text(lifespan);
  spec_.written["lastmodified"] = lifespan::rfc3339(lastmodified);
  if (ended() || !loaded_) {
    arm();
    return;
  }
  if (auto status = enable(); !status) {
    fail(status.error());
    return;
  }
  publish();
}

void Probe::end(State as, std::string why, std::function<void()> gone) {
  const auto self = shared_from_this();
  parts_.agenda.cancel(std::exchange(end_ticket_, 0));
  parts_.agenda.cancel(std::exchange(retry_ticket_, 0));
  parts_.agenda.cancel(std::exchange(settle_ticket_, 0));
  parts_.agenda.cancel(std::exchange(hand_over_ticket_, 0));
  if (loaded_) loaded_->disable();
  drop_bequest("");
  last_price_ns_ = price_ns();
  state_ = as;
  if (!why.empty()) add_note(why);
  if (enabled_) parts_.log.info("probe `" + spec_.id + "` " + text(as) + (why.empty() ? "" : ": " + why));
  if (!enabled_) parts_.registry.drop(series_key());  // it never measured: its names are free again
  if (gone) waiting_.push_back(std::move(gone));
  let_go(
      std::exchange(grips_, {}),
      [self, loaded = loaded_] {
        if (self->loaded_ == loaded) self->finish();  // else it has been armed again meanwhile
      },
      runtime_links());
  publish();
}

// The links are gone and the kernel has waited for the programs: the numbers are final.
void Probe::finish() {
  if (!loaded_) return;
  parts_.drain();
  last_ledger_ = ledger();
  const std::int64_t open = spec_.lifespan.hits ? loaded_->ends_left() : 0;
  if (open > 0 && loaded_->hits_left() <= 0 && last_ledger_.size() >= LEDGER_FIXED_WORDS) {
    last_ledger_[LEDGER_LOST_FIRST + unsigned{LOSS_LEFT}] += static_cast<std::uint64_t>(open);
  }
  parts_.registry.retire(series_key());
  loaded_ = nullptr;
  publish();
}

void Probe::when_gone(std::function<void()> gone) {
  if (leaving_ > 0) {
    waiting_.push_back(std::move(gone));
  } else {
    parts_.loop.post(std::move(gone));
  }
}

void Probe::let_go(std::vector<Grip> grips, std::function<void()> gone, std::vector<Fd> others) {
  std::vector<Fd> links = std::move(others);
  auto held = std::make_shared<std::vector<Grip>>(std::move(grips));
  for (Grip& grip : *held) {
    grip.watch = {};
    for (Fd& link : grip.attachment.links) links.push_back(std::move(link));
    for (Fd& link : grip.attachment.learning) links.push_back(std::move(link));
  }
  ++leaving_;
  const auto self = weak_from_this().lock();  // nobody where it is called while the probe goes
  parts_.detacher.detach(std::move(links), [&loop = parts_.loop, self, held, gone = std::move(gone)] {
    loop.post([self, held, gone] {
      held->clear();  // leases and watches end on the loop's thread
      if (gone) gone();
      if (self) self->has_let_go();
    });
  });
}

void Probe::has_let_go() {
  if (--leaving_ > 0) return;
  for (const auto& waiting : std::exchange(waiting_, {})) waiting();
}

}  // namespace diagnose::app
