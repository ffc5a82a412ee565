// Callers: from one daemon to the next.
#include <algorithm>

#include "app/callers.h"

namespace diagnose::app {

HandedCallers Callers::leave(Outgoing& outgoing) const {
  HandedCallers left{.callees = callees_,
                     .held = {},
                     .learnt_sites = learnt_sites_,
                     .by_exits = by_exits_,
                     .shown = shown_,
                     .learnt = learnt_};
  for (const auto& [place, held] : held_) {
    left.held.push_back({.file = place.file,
                         .pid = place.pid,
                         .links = outgoing.add(held.links),
                         .return_addresses = held.return_addresses});
  }
  return left;
}

void Callers::take_over(const HandedCallers& left, Incoming& descriptors) {
  callees_ = left.callees;
  learnt_sites_ = left.learnt_sites;
  by_exits_ = left.by_exits;
  shown_ = left.shown;
  sites_ = shown_.size();
  learnt_ = left.learnt;
  for (const Shown& shown : shown_) dearest_ = std::max(dearest_, shown.site.cost);
  for (const HandedCallers::Held& held : left.held) {
    held_[{held.file, held.pid}] = {.links = descriptors.take(held.links), .return_addresses = held.return_addresses};
  }
}

}  // namespace diagnose::app
