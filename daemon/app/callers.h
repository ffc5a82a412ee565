// The callers of one probe's functions: found in the code, learnt from the kernel, each with a breakpoint behind its
// call (design D4).  Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "app/handover.h"
#include "app/parts.h"
#include "app/survey.h"
#include "attach/attachment.h"
#include "attach/loaded_probe.h"
#include "drain/ring.h"
#include "target/resolver.h"

namespace diagnose::app {

class Callers {
 public:
  explicit Callers(Parts& parts) : parts_(parts) {}

  // A life of the probe begins with its programs; `needs_result`: some instrument reads it at the return;
  // `needs_memory`: or memory.  In a
  // `rehearsal` sites are found and no breakpoint is made.
  void begin(std::shared_ptr<attach::LoadedProbe> loaded, bool needs_result, bool needs_memory, bool rehearsal);
  // It is over: what to close.
  [[nodiscard]] std::vector<Fd> end();

  // From one daemon to the next; behind begin() and settle().
  [[nodiscard]] HandedCallers leave(Outgoing& outgoing) const;
  void take_over(const HandedCallers& left, Incoming& descriptors);

  // Numbers the functions of `module`; the same function always gets the same number.
  void number(const target::Module& module, std::span<attach::Return> returns);
  // Finds the callers of `module`'s functions by callers in the files of `process` (none: in the module itself, for
  // every process), and those that were learnt elsewhere, and puts breakpoints behind them.  What fails is in `notes`.
  void find(const target::Module& module, std::span<const attach::Return> returns,
            const std::optional<target::Process>& process, bool whole_file, std::vector<std::string>& notes);
  // The kernel has met an unknown caller.
  void met(const drain::RawRecord& raw);
  // Puts breakpoints behind all that were met so far.
  void settle(std::vector<std::string>& notes);
  [[nodiscard]] bool unsettled() const { return !met_.empty(); }
  // Functions some of whose returns only their exits can show.
  [[nodiscard]] const std::set<std::uint16_t>& by_exits() const { return by_exits_; }
  // What to close of a process that has gone.
  [[nodiscard]] std::vector<Fd> process_gone(pid_t pid);

  // What to close of a file whose breakpoints are for every process and must go: it is written to, or has been
  // replaced. Its functions are others from now on.
  [[nodiscard]] std::vector<Fd> file_gone(dev_t device, ino_t inode);

  struct Tally {
    std::size_t known = 0;   // return addresses with a breakpoint
    std::size_t learnt = 0;  // of those, met by the kernel and not found in the code
  };
  [[nodiscard]] Tally tally() const { return {.known = sites_, .learnt = learnt_}; }
  // The dearest site behind a call.
  [[nodiscard]] target::Cost dearest() const { return dearest_; }
  // All sites, one for each file and return address.
  using Shown = HandedCallers::Shown;
  [[nodiscard]] const std::vector<Shown>& shown() const { return shown_; }

 private:
  using Callee = HandedCallers::Callee;
  struct Met {
    pid_t pid = 0;
    MemoryAddress return_address{};
    std::uint16_t number = 0;
  };
  // Breakpoints behind calls in one file, in one process or (pid 0) in all.
  struct Place {
    FileKey file;
    pid_t pid = 0;
    auto operator<=>(const Place&) const = default;
  };
  struct Held {
    std::vector<Fd> links;
    std::set<std::uint64_t> return_addresses;  // link-time
  };

  [[nodiscard]] const Callee* callee(std::uint16_t number) const;
  void search(const MappedFile& file, const target::Module& module, std::span<const attach::Return> returns,
              const std::optional<target::Process>& process, std::span<const target::Region> regions,
              std::vector<std::string>& notes);
  // Under which the entry program looks up a call of `callee` from `site`; nothing if either is not mapped.
  [[nodiscard]] std::optional<std::uint64_t> key(const Callee& callee, const FileKey& file, const target::Site& site,
                                                 std::span<const target::Region> regions) const;
  Status hold(const MappedFile& file, std::optional<pid_t> process, std::span<const target::Site> sites);
  void show(const MappedFile& file, const std::string& in, const target::Site& site);
  void only_exits(std::uint16_t number, const std::string& why, std::vector<std::string>& notes);
  void settle_process(std::span<const Met> met, std::vector<std::string>& notes);
  void settle_file(pid_t pid, const FileKey& file, std::span<const Met* const> calls,
                   std::span<const target::Region> regions, std::vector<std::string>& notes);
  void learn(pid_t pid, const MappedFile& file, const Met& met, const target::ReturnSite& found,
             std::span<const target::Region> regions, std::vector<std::string>& notes);

  Parts& parts_;
  std::shared_ptr<attach::LoadedProbe> loaded_;
  bool needs_result_ = false;
  bool needs_memory_ = true;
  bool rehearsal_ = false;
  std::vector<Callee> callees_;  // by number
  std::map<Place, Held> held_;
  std::map<FileKey, std::vector<target::Site>> learnt_sites_;  // of calls within the callee's own file
  std::set<std::uint16_t> by_exits_;
  std::vector<Met> met_;
  std::vector<Shown> shown_;
  std::size_t sites_ = 0;
  std::size_t learnt_ = 0;
  target::Cost dearest_ = target::Cost::optimised;
};

}  // namespace diagnose::app
