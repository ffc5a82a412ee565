// One probe: a spec at work.  Resolves, compiles, loads, attaches, follows processes, ends.  Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/budget.h"
#include "app/callers.h"
#include "app/folding.h"
#include "app/handover.h"
#include "app/parts.h"
#include "app/place_compiler.h"
#include "attach/attachment.h"
#include "attach/lease.h"
#include "compile/evaluation.h"
#include "compile/mentions.h"
#include "compile/plan.h"
#include "drain/ring.h"
#include "event/record.h"
#include "spec/spec.h"

namespace diagnose::app {

enum class State { pending, armed, partial, failed, quarantined, tripped, expired, disabled };
[[nodiscard]] const char* text(State state);

// An attachment with what goes with it.
struct Grip {
  attach::Attachment attachment;
  target::Module module;
  std::vector<attach::Return> returns;     // one a function of the module
  std::set<std::uint16_t> covered;         // functions by callers whose exits stay probed after the hand-over
  std::vector<target::Process> processes;  // known to map the file
  std::optional<attach::Lease> lease;      // of a grip on every process
  loop::Source watch;                      // the process's end, of a grip on one
  Fd pidfd;
};

class Probe : public std::enable_shared_from_this<Probe> {
 public:
  // `origin` is the file it came from, or "attach".  `number` is never used twice in a daemon's life.
  Probe(spec::Probe spec, std::string origin, std::uint32_t number, Parts& parts);
  ~Probe();

  // Takes the spec to work, or says in errors() why not.
  void arm();
  // Resolves, compiles, loads and chooses as arm() does, for those who ask what that would do: no breakpoint is made,
  // nothing is measured or published.  Such a probe is good for nothing else.
  void rehearse();
  // Starts the lifespan again, from `spec.lastmodified`; a running probe keeps its counts.
  void renew(lifespan::Lifespan lifespan, lifespan::Clock::time_point lastmodified);
  // Ends it: nothing is measured from now on.  `gone` is called on the loop when the kernel has let go.
  void end(State as, std::string why, std::function<void()> gone = {});
  // Calls `gone` on the loop when the kernel has let go of a probe that has ended.
  void when_gone(std::function<void()> gone);
  // It could not be attached, or not everywhere, as a debug file was still being fetched, and that is over.
  [[nodiscard]] bool debug_files_have_come() const;
  // Attaches it where it is not attached yet.
  void try_again();
  // Called when a probe ends by itself (time, hits, its processes).
  void on_ended(std::function<void(Probe&)> ended) { ended_ = std::move(ended); }

  // A process has started, executed a program, or gone.
  [[nodiscard]] bool follows_processes() const;
  void consider(const target::Process& process);
  // Adds the processes whose children carry their breakpoints and nobody knows of.
  void add_parents(std::set<pid_t>& parents) const;
  // Somebody wants to write to a file under lease `fd` (-1: it is not known which): true if it was ours and is given
  // back.
  bool yield_lease(int fd);

  // A record of this probe; gives what followers see, or nothing for one that is only folded.
  std::optional<event::Record> take(const drain::RawRecord& raw, std::chrono::nanoseconds realtime_offset);
  // The kernel has met a call from somewhere unknown.
  void met_caller(const drain::RawRecord& raw);
  // The kernel says that the last hit was used up.
  void spent();

  [[nodiscard]] const spec::Probe& spec() const { return spec_; }
  [[nodiscard]] const std::string& id() const { return spec_.id; }
  [[nodiscard]] const std::string& origin() const { return origin_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool ended() const {
    return state_ != State::pending && state_ != State::armed && state_ != State::partial;
  }
  [[nodiscard]] const std::vector<Error>& errors() const { return errors_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] const std::vector<Grip>& grips() const { return grips_; }
  [[nodiscard]] const std::map<std::string, std::string>& applied() const { return applied_; }
  [[nodiscard]] std::vector<target::Process> processes() const;  // alive now
  [[nodiscard]] bool wants_return() const { return wants_return_; }
  [[nodiscard]] const Callers& callers() const { return callers_; }
  [[nodiscard]] const compile::Plan& plan() const { return plan_; }
  [[nodiscard]] const compile::Names& names() const { return names_; }
  // Every caller that was met is probed, and the exits of functions by callers are not any more.
  [[nodiscard]] bool handed_over() const { return handed_over_; }
  [[nodiscard]] std::optional<lifespan::Clock::time_point> expires() const;
  [[nodiscard]] std::vector<std::uint64_t> ledger() const;

  [[nodiscard]] double price_ns() const;         // of one call; the last one known, once ended
  [[nodiscard]] std::string series_key() const;  // its series in the registry
  [[nodiscard]] const std::string& custom_text() const { return custom_text_; }

  // What it may cost, as a fraction of a core, and what it has cost (budget.h).
  [[nodiscard]] double budget() const { return spec_.limits.overhead.value_or(parts_.probe_overhead); }
  [[nodiscard]] const Spending& spending() const { return spending_; }
  const Spending& look_at_cost(BootClock::time_point now);  // ends a window
  [[nodiscard]] double overhead_seconds() const;            // until now
  // Before arm(): what an earlier daemon had of it.
  void inherit(std::unique_ptr<Bequest> bequest) { bequest_ = std::move(bequest); }
  // For the next daemon; of one that has ended, or has no programs, nothing.  From here on nothing may happen to it but
  // its destruction or its end.
  [[nodiscard]] std::optional<HandedProbe> leave(Outgoing& outgoing);
  // Does not arm it: the daemon died of it.
  void quarantine();
  // Ends it because it costs too much; `why` has the figures.
  void trip(Error why);

  void count_slow_follower(std::uint64_t records) { slow_follower_ += records; }
  // Tells own_series how things stand.
  void publish();

 private:
  Status check();
  [[nodiscard]] bool wants_description() const;
  Result<target::Resolution> resolve(const target::Process* process);
  Result<target::Resolution> look_up(const target::Process* process);
  using Descriptions = std::map<std::pair<dev_t, ino_t>, Description>;
  Status compile(target::Resolution& resolution, Descriptions& descriptions);
  void note_copies(const target::Module& module, const target::DebugInfo& description);
  Status refuse(const std::vector<spec::Fault>& faults);
  [[nodiscard]] bool loaded_as_compiled() const;
  Status load(compile::Returns returns);
  // From the daemon before (probe_handover.cpp).
  void compare_bequest(const target::Resolution& resolution);
  [[nodiscard]] bool take_over_programs();
  void take_over_rest();
  void take_over_foldings();
  [[nodiscard]] bool take_back(const target::Module& module, const std::optional<target::Process>& process);
  [[nodiscard]] std::optional<Grip> restored(const HandedGrip& left, const target::Module& module,
                                             const std::optional<target::Process>& process);
  [[nodiscard]] bool left_one_by_one(const target::Module& module) const;
  [[nodiscard]] bool keeps_end() const;
  [[nodiscard]] bool take_over_ended(const std::string& why);
  void settle_bequest();
  void drop_bequest(const std::string& why);
  [[nodiscard]] target::Need need() const;
  Status prepare(const target::Resolution& resolution);
  Status choose_returns(Grip& grip, const std::optional<target::Process>& process);
  [[nodiscard]] bool needs_result() const;
  void trust_callers(const Grip& grip);
  Status watch_threads();
  void watch_unwinding(const target::Process& process);
  void forget_runtime(pid_t pid);
  [[nodiscard]] std::vector<Fd> runtime_links();
  void settle_callers();
  void schedule_hand_over();
  void look_at_learning(std::chrono::milliseconds delay, std::uint64_t known);
  [[nodiscard]] std::uint64_t hits() const;
  void hand_over();
  void let_exits_go();
  void cover_exits(Grip& grip);
  Status add_series();
  void attach_now();
  Status enable();
  std::vector<Error> attach_module(const target::Module& module);
  Status hold(const target::Module& module, std::optional<target::Process> process, std::optional<attach::Lease> lease);
  [[nodiscard]] Result<attach::Attachment> put_breakpoints(const Grip& grip, std::optional<pid_t> process);
  [[nodiscard]] bool runs_as_read(const target::Module& module) const;
  [[nodiscard]] std::map<pid_t, bool> installed() const;
  [[nodiscard]] const Grip* grip_on(const target::Module& module, std::optional<pid_t> process) const;
  void join(const target::Module& module, const target::Process& process);
  void watch(Grip& grip);
  void process_gone(pid_t pid);
  void look_at(target::Process process, std::size_t attempt);
  void schedule_retry();
  void attach_again();
  void schedule_end();
  void wait_for_end();
  void look_for_end();
  [[nodiscard]] bool hits_used_up();
  void finish();
  void forget_dead();
  void add_note(const std::string& note);
  void add_error(const Error& error);
  void fail(Error error);
  void note_error(const target::Process& process, const Error& error);
  void settle_state();
  void count_cost();
  // Stands over whatever may end the daemon: reading the target's files, loading, attaching.
  [[nodiscard]] state::Mark mark() const;
  void let_go(std::vector<Grip> grips, std::function<void()> gone, std::vector<Fd> others = {});
  void has_let_go();
  [[nodiscard]] std::string process_key(const target::Process& process) const;

  spec::Probe spec_;
  std::string origin_;
  std::string custom_text_;  // spec_.custom as JSON
  std::uint32_t number_;
  Parts& parts_;
  State state_ = State::pending;
  std::vector<Error> errors_;
  std::map<std::string, std::uint64_t> error_counts_;
  std::vector<std::string> notes_;
  compile::Names names_;
  compile::Mentions mentions_;
  std::optional<Forms> compiled_;  // once a function to compile for is known
  Forms forms_;                    // of the programs that are loaded
  FormNumbers form_numbers_;
  compile::Plan plan_;
  bool wants_return_ = false;
  std::vector<std::shared_ptr<metrics::Accumulator>> foldings_;  // per instrument; null where the kernel folds
  std::shared_ptr<attach::LoadedProbe> loaded_;
  std::vector<std::function<void()>> waiting_;  // for the kernel to let go
  int leaving_ = 0;                             // let_go()s that are on their way
  compile::Returns returns_;                    // what the programs were made for
  Callers callers_;
  bool handed_over_ = false;
  std::unique_ptr<Bequest> bequest_;            // until it is attached
  bool taken_over_ = false;                     // its programs are those of the daemon before
  Fd thread_end_;                               // link of the program that sees threads end
  std::map<pid_t, std::vector<Fd>> unwinding_;  // links in the runtimes of a process; 0: of every process
  std::vector<Grip> grips_;                     // declared behind loaded_: links go before programs
  std::map<std::string, std::string> applied_;  // process -> error, or empty
  std::set<std::string> awaited_;               // build ids of debug files that were on their way when it looked
  std::vector<std::uint64_t> last_ledger_;
  std::uint64_t slow_follower_ = 0;
  double last_price_ns_ = 0;
  Spending spending_;
  bool rehearsal_ = false;
  unsigned lives_ = 0;    // how often it was armed
  bool armed_ = false;    // attached to what there was; programs that are loaded later start at once
  bool enabled_ = false;  // it has measured in this life
  std::optional<BootClock::time_point> ends_at_;
  std::int64_t last_open_ = 0;
  int stalled_polls_ = 0;
  Agenda::Ticket retry_ticket_ = 0;
  Agenda::Ticket end_ticket_ = 0;
  Agenda::Ticket settle_ticket_ = 0;
  Agenda::Ticket hand_over_ticket_ = 0;
  std::function<void(Probe&)> ended_;
};

}  // namespace diagnose::app
