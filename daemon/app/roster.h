// All probes of the host, by id: adding, reconciling, ending, forgetting.  Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/handover.h"
#include "app/parts.h"
#include "app/probe.h"
#include "base/result.h"
#include "spec/spec.h"
#include "state/store.h"

namespace diagnose::app {

// What a reconciliation did, by id.
struct Applied {
  std::vector<std::string> added;
  std::vector<std::string> updated;
  std::vector<std::string> removed;
  std::vector<std::string> unchanged;
  std::map<std::string, std::vector<Error>> failed;  // "" for faults that belong to no probe
};

inline constexpr const char* origin_attach = "attach";

class Roster {
 public:
  // `store` may be null: nothing survives a restart.  Both are borrowed.
  Roster(Parts& parts, state::Store* store, std::chrono::milliseconds retention)
      : parts_(parts), store_(store), retention_(retention) {}

  void set_retention(std::chrono::milliseconds retention) { retention_ = retention; }

  // Adds and arms one.  Fails if the id is taken by a probe that has not ended, or the host has too many.
  [[nodiscard]] Result<std::shared_ptr<Probe>> add(spec::Probe spec, const std::string& origin, bool stored);

  // Makes the probes of `origin` be those of `document`: idempotent.  Probes with faults keep their earlier form.
  // `watched` marks a file of a watched folder: it is read again at a restart and not stored.
  Applied apply(const spec::Document& document, const std::string& origin, bool watched);

  // `gone` is called when the kernel has let go of all of them.
  void detach(const std::vector<std::shared_ptr<Probe>>& probes, std::function<void()> gone);
  void renew(Probe& probe, const lifespan::Lifespan& lifespan);
  // A server has said what it has: probes that could not be attached without are tried again.
  void look_for_debug_files();

  // Brings back what an earlier daemon had stored, and from here on what it left of its probes, as they come.
  void restore(Inheritance inheritance);
  // Every probe has come that comes back by itself: what is left is nobody's.
  void settle_inheritance();
  // For the next daemon, of all probes.
  [[nodiscard]] Handover leave(Outgoing& outgoing) const;

  [[nodiscard]] std::shared_ptr<Probe> find(const std::string& id) const;
  [[nodiscard]] std::shared_ptr<Probe> find(std::uint32_t number) const;
  [[nodiscard]] std::vector<std::shared_ptr<Probe>> all() const;
  [[nodiscard]] bool is_watched(const std::string& origin) const { return watched_.contains(origin); }
  [[nodiscard]] bool follows_processes() const;
  // Called when the set of probes, or what they follow, has changed.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

 private:
  void place(const std::shared_ptr<Probe>& probe);
  [[nodiscard]] bool is_condemned(const std::string& id, const std::string& origin);
  void remove(const std::shared_ptr<Probe>& probe, std::function<void()> gone);
  void update(const spec::Probe& wanted, const std::shared_ptr<Probe>& known, const std::string& origin, bool stored,
              Applied& applied);
  void save(const Probe& probe);
  void unsave(const std::string& id);
  void ended(Probe& probe);
  void schedule_drop(const std::shared_ptr<Probe>& probe);
  void cancel_drop(const std::string& id);

  Parts& parts_;
  state::Store* store_;
  std::chrono::milliseconds retention_;
  std::map<std::string, std::shared_ptr<Probe>> probes_;
  std::map<std::uint32_t, std::weak_ptr<Probe>> numbers_;
  std::map<std::string, Agenda::Ticket> drops_;  // of ended probes, by id
  std::set<std::string> watched_;                // origins that are files of watched folders
  std::set<std::string> condemned_;              // ids that an earlier daemon died under
  bool restoring_ = false;
  Inheritance inheritance_;
  std::uint32_t last_number_ = 0;
  std::function<void()> changed_;
};

}  // namespace diagnose::app
