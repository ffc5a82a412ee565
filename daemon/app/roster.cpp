#include "app/roster.h"

#include <algorithm>
#include <utility>

#include "app/own_series.h"
#include "base/limits.h"
#include "spec/read.h"

namespace diagnose::app {
namespace {

// "3 probes may go when the kernel has let go of each": calls `gone` at the last.
std::function<void()> countdown(std::size_t count, std::function<void()> gone) {
  auto left = std::make_shared<std::size_t>(count);
  return [left, gone = std::move(gone)] {
    if (--*left == 0 && gone) gone();
  };
}

}  // namespace

std::shared_ptr<Probe> Roster::find(const std::string& id) const {
  const auto found = probes_.find(id);
  return found == probes_.end() ? nullptr : found->second;
}

std::shared_ptr<Probe> Roster::find(std::uint32_t number) const {
  const auto found = numbers_.find(number);
  return found == numbers_.end() ? nullptr : found->second.lock();
}

std::vector<std::shared_ptr<Probe>> Roster::all() const {
  std::vector<std::shared_ptr<Probe>> probes;
  probes.reserve(probes_.size());
  for (const auto& [id, probe] : probes_) probes.push_back(probe);
  return probes;
}

bool Roster::follows_processes() const {
  return std::any_of(probes_.begin(), probes_.end(),
                     [](const auto& known) { return known.second->follows_processes(); });
}

void Roster::place(const std::shared_ptr<Probe>& probe) {
  cancel_drop(probe->id());
  probes_[probe->id()] = probe;
  probe->on_ended([this](Probe& which) { ended(which); });
  if (is_condemned(probe->id(), probe->origin())) {
    probe->quarantine();
  } else {
    probe->inherit(inheritance_.claim(probe->spec()));
    probe->arm();
  }
  numbers_[probe->number()] = probe;  // of an earlier daemon, if it took over
  if (probe->state() == State::armed || probe->state() == State::partial) {
    parts_.log.info("probe `" + probe->id() + "` " + text(probe->state()) + ": " + probe->spec().target.text());
  }
  if (probe->ended()) ended(*probe);
  if (changed_) changed_();
}

// Once, and only what comes back by itself: a person who asks for the probe wants it.
bool Roster::is_condemned(const std::string& id, const std::string& origin) {
  return condemned_.erase(id) > 0 && (restoring_ || watched_.contains(origin));
}

Result<std::shared_ptr<Probe>> Roster::add(spec::Probe spec, const std::string& origin, bool stored) {
  if (const auto known = find(spec.id)) {
    if (!known->ended()) {
      return failure({.what = "attach `" + spec.id + "`",
                      .where = spec.place.text(),
                      .why = "the id is taken by a probe from " + known->origin(),
                      .mend = "choose another id, or detach that one first"});
    }
    probes_.erase(spec.id);
  }
  if (probes_.size() >= limits::specs) {
    return failure({.what = "attach `" + spec.id + "`",
                    .where = "",
                    .why = "this host has " + std::to_string(limits::specs) + " probes already",
                    .mend = "detach some: `diagnosectl list`"});
  }
  auto probe = std::make_shared<Probe>(std::move(spec), origin, ++last_number_, parts_);
  place(probe);
  if (stored && !probe->ended()) save(*probe);
  return probe;
}

void Roster::update(const spec::Probe& wanted, const std::shared_ptr<Probe>& known, const std::string& origin,
                    bool stored, Applied& applied) {
  const bool tried_again = stored && known->state() == State::quarantined;
  if (!tried_again && wanted.written == known->spec().written && wanted.lastmodified == known->spec().lastmodified) {
    applied.unchanged.push_back(wanted.id);
    return;
  }
  if (same_but_lifespan(wanted.written, known->spec().written)) {
    // A later `lastmodified` is a renewal; an older one only corrects the end.
    known->renew(wanted.lifespan, wanted.lastmodified);
    if (stored) save(*known);
    applied.updated.push_back(wanted.id);
    if (changed_) changed_();
    return;
  }
  const std::vector<spec::Fault> faults = compile::check(wanted);
  if (!faults.empty()) {  // the earlier form stays at work
    for (const spec::Fault& fault : faults) applied.failed[wanted.id].push_back(fault.error());
    return;
  }
  known->end(State::disabled, "replaced by a newer form of its spec");
  probes_.erase(wanted.id);
  if (auto added = add(wanted, origin, stored); added) {
    applied.updated.push_back(wanted.id);
  } else {
    applied.failed[wanted.id].push_back(added.error());
  }
}

Applied Roster::apply(const spec::Document& document, const std::string& origin, bool watched) {
  Applied applied;
  if (watched) watched_.insert(origin);
  for (const spec::Fault& fault : document.faults) applied.failed[fault.probe].push_back(fault.error());
  std::set<std::string> named(document.faulty.begin(), document.faulty.end());
  for (const spec::Probe& wanted : document.probes) {
    named.insert(wanted.id);
    const auto known = find(wanted.id);
    if (known && known->origin() == origin) {
      update(wanted, known, origin, !watched, applied);
    } else if (auto added = add(wanted, origin, !watched); added) {
      applied.added.push_back(wanted.id);
    } else {
      applied.failed[wanted.id].push_back(added.error());
      continue;
    }
    const auto placed = find(wanted.id);
    if (placed && placed->state() == State::failed) applied.failed[wanted.id] = placed->errors();
  }
  for (const auto& probe : all()) {
    if (probe->origin() != origin || named.contains(probe->id())) continue;
    applied.removed.push_back(probe->id());
    remove(probe, {});
  }
  return applied;
}

void Roster::remove(const std::shared_ptr<Probe>& probe, std::function<void()> gone) {
  unsave(probe->id());
  if (parts_.tombstones != nullptr) parts_.tombstones->clear(probe->id());
  probes_.erase(probe->id());
  if (probe->ended()) {
    if (gone) probe->when_gone(std::move(gone));
    if (probe->state() == State::failed) parts_.own.forget(probe->id());
  } else {
    probe->end(State::disabled, "detached", std::move(gone));
    schedule_drop(probe);
  }
  if (changed_) changed_();
}

void Roster::detach(const std::vector<std::shared_ptr<Probe>>& probes, std::function<void()> gone) {
  if (probes.empty()) {
    parts_.loop.post(std::move(gone));
    return;
  }
  const auto one_gone = countdown(probes.size(), std::move(gone));
  for (const auto& probe : probes) {
    if (!watched_.contains(probe->origin())) {
      remove(probe, one_gone);
    } else if (probe->ended()) {
      probe->when_gone(one_gone);
    } else {
      // Its file still stands: it stays on the list, or the next look at the folder would bring it back.
      probe->end(State::disabled, "detached by hand: edit its spec, or renew it, to attach it again", one_gone);
      schedule_drop(probe);
    }
  }
  if (changed_) changed_();
}

void Roster::renew(Probe& probe, const lifespan::Lifespan& lifespan) {
  cancel_drop(probe.id());
  probe.renew(lifespan, lifespan::Clock::now());
  if (!watched_.contains(probe.origin())) save(probe);
  if (changed_) changed_();
}

void Roster::look_for_debug_files() {
  for (const auto& probe : all()) {
    if (!probe->debug_files_have_come()) continue;
    cancel_drop(probe->id());
    probe->try_again();
    if (probe->ended()) {
      ended(*probe);
    } else if (!watched_.contains(probe->origin())) {
      save(*probe);
    }
    parts_.log.info("probe `" + probe->id() + "` " + text(probe->state()) +
                    ": tried again, as a debug file that it waited for is settled");
    if (changed_) changed_();
  }
}

void Roster::ended(Probe& probe) {
  if (probe.state() == State::quarantined) return;  // it stays, through restarts too, until somebody decides
  unsave(probe.id());
  schedule_drop(probe.shared_from_this());
  if (changed_) changed_();
}

// After the retention the series go; a probe that no file stands for goes with them.
void Roster::schedule_drop(const std::shared_ptr<Probe>& probe) {
  cancel_drop(probe->id());
  const auto drop = [this, id = probe->id(), number = probe->number(), series = probe->series_key()] {
    drops_.erase(id);
    parts_.registry.drop(series);
    const auto now = find(id);
    if (now && (now->number() != number || watched_.contains(now->origin()))) return;
    probes_.erase(id);
    numbers_.erase(number);
    parts_.own.forget(id);
  };
  drops_[probe->id()] = parts_.agenda.after(retention_, drop);
}

void Roster::cancel_drop(const std::string& id) {
  const auto known = drops_.find(id);
  if (known == drops_.end()) return;
  parts_.agenda.cancel(known->second);
  drops_.erase(known);
}

void Roster::save(const Probe& probe) {
  if (store_ == nullptr) return;
  auto status = store_->save({.id = probe.id(),
                              .origin = probe.origin(),
                              .written = probe.spec().written,
                              .lastmodified = lifespan::rfc3339(probe.spec().lastmodified)});
  if (!status) parts_.log.error(status.error().text());
}

void Roster::unsave(const std::string& id) {
  if (store_ == nullptr) return;
  if (auto status = store_->remove(id); !status) parts_.log.error(status.error().text());
}

void Roster::settle_inheritance() {
  auto left = inheritance_.rest();
  for (const std::string& id : left.ids) {
    parts_.log.info("probe `" + id + "` of the daemon before: nobody asks for it any more, so it is detached");
  }
  parts_.detacher.detach(std::move(left.descriptors), [] {});
}

Handover Roster::leave(Outgoing& outgoing) const {
  Handover handover{.contract = contract_digest(),
                    .records = outgoing.add(parts_.stencils.records_fd()),
                    .processes = outgoing.add(parts_.stencils.processes_fd()),
                    .last_number = last_number_,
                    .probes = {}};
  for (const auto& [id, probe] : probes_) {
    if (auto left = probe->leave(outgoing)) handover.probes.push_back(std::move(*left));
  }
  return handover;
}

void Roster::restore(Inheritance inheritance) {
  inheritance_ = std::move(inheritance);
  last_number_ = inheritance_.last_number();
  if (store_ == nullptr) return;
  condemned_ = parts_.tombstones->standing();
  restoring_ = true;
  state::Loaded loaded = store_->load();
  for (const Error& error : loaded.errors) parts_.log.error(error.text());
  for (const state::StoredProbe& stored : loaded.probes) {
    const auto lastmodified = lifespan::parse_rfc3339(stored.lastmodified);
    const nlohmann::json text = {{"probes", {{stored.id, stored.written}}}};
    const spec::Document document =
        spec::read(text.dump(), stored.origin, lastmodified.value_or(lifespan::Clock::time_point{}));
    for (const spec::Fault& fault : document.faults) parts_.log.error(fault.text());
    for (const spec::Probe& probe : document.probes) {
      const auto expiry = lifespan::expiry(probe.lifespan, probe.lastmodified);
      if (expiry && *expiry <= lifespan::Clock::now() && !inheritance_.knows(probe.id)) {
        unsave(probe.id);
        parts_.tombstones->clear(probe.id);
      } else if (auto added = add(probe, stored.origin, true); !added) {
        parts_.log.error(added.error().text());
      }
    }
  }
  restoring_ = false;
}

}  // namespace diagnose::app
