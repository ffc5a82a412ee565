// Processes to come: while some probe waits for processes the kernel tells of each exec, and of the children of
// processes that carry a probe; matching ones are given to the probes.  Threads wake nobody.  Loop thread only.
//
// The design named the netlink process connector; that needs CAP_NET_ADMIN, which the daemon otherwise does without.
// The same tracepoints feed our own ring.
#pragma once

#include <set>

#include "app/parts.h"
#include "app/roster.h"
#include "drain/ring.h"

namespace diagnose::app {

class ProcessWatch {
 public:
  ProcessWatch(Parts& parts, Roster& roster) : parts_(parts), roster_(roster) {}

  // Starts or stops the kernel's records as the probes need them now.
  void settle();
  // RECORD_EXEC or RECORD_FORK.
  void started(const drain::RawRecord& raw);

 private:
  void settle_parents();
  void watch_children(pid_t pid, bool watched);
  void look_soon();
  void look_at(pid_t pid);
  void look_at_all();
  void poll();

  Parts& parts_;
  Roster& roster_;
  bool following_ = false;
  std::set<pid_t> parents_;  // whose children the kernel tells of
  std::set<pid_t> started_;  // to be looked at soon
  bool look_at_all_ = false;
  Agenda::Ticket soon_ = 0;
  Agenda::Ticket poll_ = 0;
};

}  // namespace diagnose::app
