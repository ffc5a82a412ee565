// Processes to come: the kernel tells of each exec and fork while some probe waits for processes; matching ones are
// given to the probes.  Loop thread only.
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

  // Starts or stops the kernel's records as the probes need them.
  void settle();
  // RECORD_EXEC or RECORD_FORK.
  void started(const drain::RawRecord& raw);

 private:
  void look_at(pid_t pid);
  void look_at_all();
  void poll();

  Parts& parts_;
  Roster& roster_;
  bool following_ = false;
  std::set<pid_t> executed_;
  bool forked_ = false;
  Agenda::Ticket soon_ = 0;
  Agenda::Ticket poll_ = 0;
};

}  // namespace diagnose::app
