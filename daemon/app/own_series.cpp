#include "app/own_series.h"

#include <cstdio>
#include <dirent.h>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

#include "attach/kernel.h"
#include "bpf/contract.h"
#include "event/layout.h"

namespace diagnose::app {
namespace {

using metrics::Family;
using metrics::Kind;
using Labels = std::vector<std::pair<std::string, std::string>>;

Family family(std::string name, std::string help, Kind kind, std::string unit = "") {
  return {.name = std::move(name), .help = std::move(help), .unit = std::move(unit), .kind = kind, .series = {}};
}

void add(Family& to, Labels labels, double value) {
  to.series.push_back({.labels = std::move(labels), .value = value, .histogram = {}});
}

// Series that Prometheus clients call process metrics, from /proc/self.
std::vector<Family> process_families() {
  std::vector<Family> made;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  made.push_back(family("process_cpu_seconds", "CPU time spent, user and system.", Kind::counter, "seconds"));
  add(made.back(), {}, seconds(usage.ru_utime) + seconds(usage.ru_stime));

  long pages = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  made.push_back(family("process_resident_memory_bytes", "Resident memory.", Kind::gauge, "bytes"));
  add(made.back(), {}, static_cast<double>(resident) * page);
  made.push_back(family("process_virtual_memory_bytes", "Virtual memory.", Kind::gauge, "bytes"));
  add(made.back(), {}, static_cast<double>(pages) * page);

  double open = 0;
  if (DIR* folder = ::opendir("/proc/self/fd")) {
    while (::readdir(folder) != nullptr) ++open;
    ::closedir(folder);
    open -= 3;  // `.`, `..` and the folder itself
  }
  made.push_back(family("process_open_fds", "Open file descriptors.", Kind::gauge));
  add(made.back(), {}, open);
  return made;
}

double unix_seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

Tally current(const ProbeView& view) {
  if (view.loaded) {
    if (auto ledger = view.loaded->ledger()) return tally(*ledger);
  }
  return tally(view.ledger);
}

}  // namespace

std::uint64_t Tally::lost_in_all() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : lost) sum += count;
  return sum;
}

Tally tally(const std::vector<std::uint64_t>& ledger) {
  Tally made;
  if (ledger.size() < LEDGER_FIXED_WORDS) return made;
  made.hits = ledger[LEDGER_HITS];
  made.truncated = ledger[LEDGER_TRUNCATED];
  for (unsigned reason = 0; reason < LOSS_COUNT; ++reason) {
    const std::uint64_t count = ledger[LEDGER_LOST_FIRST + reason];
    if (count != 0) made.lost[event::loss_name(reason)] = count;
  }
  return made;
}

void OwnSeries::show(const std::string& probe, ProbeView view) {
  const std::lock_guard lock(mutex_);
  probes_[probe] = std::move(view);
}

void OwnSeries::forget(const std::string& probe) {
  const std::lock_guard lock(mutex_);
  probes_.erase(probe);
}

std::vector<Family> OwnSeries::families() const {
  Family info = family("diagnose_probe_info", "Every probe, with its target and state.", Kind::gauge);
  Family hits = family("diagnose_probe_hits", "Calls that a probe saw.", Kind::counter);
  Family lost = family("diagnose_events_lost", "Events that could not be kept, by reason.", Kind::counter);
  Family truncated = family("diagnose_texts_truncated",
                            "Texts that were longer than their room; their events are kept.", Kind::counter);
  Family overhead =
      family("diagnose_probe_overhead_seconds",
             "Time that a probe has cost its targets: hits times what one was measured to cost on this host.",
             Kind::counter, "seconds");
  Family expires =
      family("diagnose_probe_expires_timestamp_seconds", "When a probe ends, in Unix time.", Kind::gauge, "seconds");
  Family installed = family("diagnose_probe_installed", "1 for each process that carries a probe.", Kind::gauge);
  Family errors = family("diagnose_probe_errors", "Errors of a probe, by kind.", Kind::counter);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, view] : probes_) {
      const Tally now = current(view);
      add(info, {{"probe", id}, {"target", view.target}, {"state", view.state}}, 1);
      add(hits, {{"probe", id}}, static_cast<double>(now.hits));
      for (unsigned reason = 0; reason < LOSS_COUNT; ++reason) {
        const auto found = now.lost.find(event::loss_name(reason));
        add(lost, {{"probe", id}, {"reason", event::loss_name(reason)}},
            found == now.lost.end() ? 0 : static_cast<double>(found->second));
      }
      add(lost, {{"probe", id}, {"reason", "slow_follower"}}, static_cast<double>(view.events_lost));
      add(truncated, {{"probe", id}}, static_cast<double>(now.truncated));
      add(overhead, {{"probe", id}}, view.spending.seconds_at(now.hits));
      if (view.expires) add(expires, {{"probe", id}}, unix_seconds(*view.expires));
      for (const auto& [pid, stands] : view.installed) {
        add(installed, {{"probe", id}, {"pid", std::to_string(pid)}}, stands ? 1 : 0);
      }
      for (const auto& [kind, count] : view.errors) {
        add(errors, {{"probe", id}, {"kind", kind}}, static_cast<double>(count));
      }
    }
  }
  Family build = family("diagnose_build_info", "The daemon's version and the kernel under it.", Kind::gauge);
  add(build, {{"version", version_}, {"kernel", attach::kernel_release()}}, 1);
  std::vector<Family> made = process_families();
  for (Family* one : {&info, &hits, &lost, &truncated, &overhead, &expires, &installed, &errors, &build}) {
    if (!one->series.empty()) made.push_back(std::move(*one));
  }
  return made;
}

std::string OwnSeries::page() const {
  std::ostringstream page;
  page << "diagnosed " << version_ << " on Linux " << attach::kernel_release() << "\n\n";
  const std::lock_guard lock(mutex_);
  if (probes_.empty()) page << "No probe is attached.\n";
  for (const auto& [id, view] : probes_) {
    const Tally now = current(view);
    page << id << "  " << view.state << "  " << view.target << "  hits " << now.hits << "  lost " << now.lost_in_all()
         << "\n";
  }
  page << "\n/metrics  /-/healthy  /-/ready\n";
  return page.str();
}

}  // namespace diagnose::app
