// What a daemon that is told to stop leaves to the one that is started next, so that no call is missed and no count
// starts anew (design D9): plain data that says what the descriptors are which go with it (state/fd_store.h).
//
// A probe is taken over whole or not at all.  What the two daemons must have in common is compared, never assumed: the
// contract with the programs in the kernel, the form of the maps (`shape`), the sites in the target's files (`digest`).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "attach/attachment.h"
#include "base/fd.h"
#include "base/result.h"
#include "compile/evaluation.h"
#include "compile/plan.h"
#include "metrics/registry.h"
#include "spec/spec.h"
#include "target/resolver.h"

namespace diagnose::app {

using FileKey = std::pair<dev_t, ino_t>;
using Name = std::string;  // of a descriptor: attach/object_name.h; empty: none

struct HandedProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
};

// A grip on one file (probe.h).
struct HandedGrip {
  FileKey file;
  bool every_process = false;
  std::vector<HandedProcess> processes;  // the one, or those that are known
  std::uint64_t digest = 0;              // of the module's functions
  std::vector<attach::Return> returns;
  std::set<std::uint16_t> covered;
  std::vector<Name> links;
  std::vector<Name> learning;
  Name lease;
};

// What is known of callers (callers.h).
struct HandedCallers {
  struct Callee {
    std::uint16_t number = 0;
    FileKey file;
    LinkAddress low{};          // of the function
    LinkAddress entry{};        // of the entry's breakpoint
    FileOffset entry_offset{};  // the same in the file
    std::vector<std::string> symbols;
    std::string name;
  };
  struct Held {
    FileKey file;
    pid_t pid = 0;
    std::vector<Name> links;
    std::set<std::uint64_t> return_addresses;
  };
  struct Shown {
    std::string path;
    std::string in;  // the symbol that calls
    target::Site site;
  };
  std::vector<Callee> callees;
  std::vector<Held> held;
  std::map<FileKey, std::vector<target::Site>> learnt_sites;
  std::set<std::uint16_t> by_exits;
  std::vector<Shown> shown;
  std::size_t learnt = 0;
};

struct HandedFolding {
  std::vector<std::pair<std::vector<std::uint8_t>, std::vector<std::uint64_t>>> series;
  std::vector<std::uint64_t> other;
};

struct HandedProbe {
  std::string id;
  std::uint32_t number = 0;
  nlohmann::json written;      // the spec
  std::string lifespan;        // as text
  std::string lastmodified;    // RFC 3339
  compile::Returns returns;    // what its programs were made for
  std::uint64_t shape = 0;     // of its maps and of what is read from them
  std::vector<Name> maps;      // in the order of the plan
  std::vector<Name> programs;  // by role
  std::uint32_t sites = 0;     // in the map of that name
  std::set<std::uint64_t> admitted;
  Name thread_end;
  std::map<pid_t, std::vector<Name>> unwinding;
  std::vector<HandedGrip> grips;
  HandedCallers callers;
  bool handed_over = false;  // from exits to callers
  std::vector<HandedFolding> foldings;
  std::uint64_t hits = 0;
  double seconds = 0;  // spent
  std::map<std::string, std::uint64_t> errors;
  std::uint64_t slow_follower = 0;
};

struct Handover {
  std::string contract;  // digest of bpf/contract.h
  Name records;          // maps that all probes share
  Name processes;
  std::uint32_t last_number = 0;
  std::vector<HandedProbe> probes;
};

// Of this daemon.
[[nodiscard]] std::string contract_digest();
[[nodiscard]] std::uint64_t shape_of_maps(const compile::Plan& plan, const compile::ProbeEvaluation& evaluation);
[[nodiscard]] std::uint64_t digest_of(const target::Module& module);

[[nodiscard]] std::string text_of(const Handover& handover);
// Fails for what is no such text, and for another contract.
[[nodiscard]] Result<Handover> read_handover(const std::string& text);

[[nodiscard]] HandedFolding handed(const metrics::Reading& reading);
[[nodiscard]] metrics::Reading reading_of(const HandedFolding& folding);

// Collects descriptors that go along.  They stay their owners'.
class Outgoing {
 public:
  // Gives its name; empty for none.
  Name add(const Fd& descriptor) { return add(descriptor.get()); }
  Name add(int descriptor);
  [[nodiscard]] std::vector<Name> add(const std::vector<Fd>& descriptors);
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

 private:
  std::vector<int> descriptors_;
};

// Descriptors that have come, by name.
class Incoming {
 public:
  Incoming() = default;
  explicit Incoming(std::vector<Fd> descriptors);
  // Empty if there is none of this name.  Of several, which are equal, one.
  [[nodiscard]] Fd take(const Name& name);
  [[nodiscard]] std::vector<Fd> take(const std::vector<Name>& names);
  // Moves those of `probe` here, or none if one is missing: false.
  [[nodiscard]] bool take_all(const HandedProbe& probe, Incoming& from);
  [[nodiscard]] std::vector<Fd> rest();  // links, maps and all

 private:
  std::multimap<Name, Fd> descriptors_;
};

// One probe of an earlier daemon, with its descriptors.
struct Bequest {
  HandedProbe probe;
  Incoming descriptors;
};

// Everything that an earlier daemon has left.
class Inheritance {
 public:
  Inheritance() = default;
  Inheritance(Handover handover, std::vector<Fd> descriptors);

  // The maps that all probes share; no descriptor if nothing was left.  They stay ours.
  [[nodiscard]] int records() const { return records_.get(); }
  [[nodiscard]] int processes() const { return processes_.get(); }
  [[nodiscard]] std::uint32_t last_number() const { return last_number_; }
  [[nodiscard]] bool empty() const { return probes_.empty(); }
  // What was left of the probe `spec`, if it is the same but for when it ends.  Once.
  [[nodiscard]] std::unique_ptr<Bequest> claim(const spec::Probe& spec);
  [[nodiscard]] bool knows(const std::string& id) const { return probes_.contains(id); }
  // Nobody claims the others: their names, and what to close.
  struct Unclaimed {
    std::vector<std::string> ids;
    std::vector<Fd> descriptors;
  };
  [[nodiscard]] Unclaimed rest();

 private:
  Fd records_;
  Fd processes_;
  std::uint32_t last_number_ = 0;
  std::map<std::string, HandedProbe> probes_;
  Incoming descriptors_;
};

// The same probe but for when it ends.
[[nodiscard]] bool same_but_lifespan(const nlohmann::json& one, const nlohmann::json& other);

}  // namespace diagnose::app
