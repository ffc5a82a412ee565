// Watched folders of specs: inotify, and a look now and then for file systems that tell nothing.  Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/agenda.h"
#include "app/roster.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/result.h"
#include "loop/loop.h"

namespace diagnose::app {

class SpecFolders {
 public:
  SpecFolders(loop::Loop& loop, Agenda& agenda, Log& log, Roster& roster)
      : loop_(loop), agenda_(agenda), log_(log), roster_(roster) {}

  // Reads every *.yaml and *.yml in `folders` now and whenever they change.  A folder that is not there is told, and
  // looked for again.
  void watch(const std::vector<std::string>& folders);
  // Reads everything again; files that have gone take their probes with them.
  void reload();
  [[nodiscard]] std::uint64_t faults() const { return faults_; }

 private:
  void watch_folder(const std::string& folder);
  void on_inotify();
  void look();
  void apply(const std::string& path);

  // What a file was when it was read last; another stamp is another file.
  struct Stamp {
    std::int64_t mtime_ns = 0;
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  [[nodiscard]] std::map<std::string, Stamp> files() const;

  loop::Loop& loop_;
  Agenda& agenda_;
  Log& log_;
  Roster& roster_;
  std::vector<std::string> folders_;
  std::map<std::string, Stamp> read_;
  std::map<std::string, int> watches_;
  Fd inotify_;
  loop::Source source_;
  Agenda::Ticket poll_ = 0;
  Agenda::Ticket soon_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace diagnose::app
