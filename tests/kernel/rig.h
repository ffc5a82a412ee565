// One probe taken from its spec's text to the kernel and back, in this process: spec, compile, target, attach, metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attach/attachment.h"
#include "attach/detacher.h"
#include "attach/kernel.h"
#include "attach/link.h"
#include "attach/loaded_probe.h"
#include "compile/evaluation.h"
#include "compile/plan.h"
#include "metrics/registry.h"
#include "spec/read.h"
#include "support/process.h"
#include "target/elf_reader.h"
#include "target/resolver.h"

namespace diagnose::test {

// What goes wrong here is the test's failure: it throws std::runtime_error.
class Rig {
 public:
  // `mapping` is a probe's mapping in YAML flow style, without its braces: "target: {pid: 1, function: f}, instrument:
  // {...}".
  explicit Rig(const std::string& mapping, const compile::Returns& returns = {}, const compile::Subject& subject = {});
  // Each place has a form of its own (compile/forms.h), in the order in which they are found.
  struct Places {
    std::vector<compile::Subject> each;
  };
  Rig(const std::string& mapping, const Places& places);

  void attach();
  // Instead, piece by piece: the entries only, and what else is to be watched in the process before.
  void attach_entries();
  void watch_callers(const Program& program, const std::string& function, bool known = true);
  void watch_trampoline(const Program& program, const std::string& function);
  void watch_unwinding(const Program& program);  // in every module of the process
  void watch_thread_ends();
  void detach();  // waits for the kernel
  void enable(std::optional<std::chrono::nanoseconds> time = std::nullopt,
              std::optional<std::uint64_t> hits = std::nullopt);

  [[nodiscard]] std::vector<std::uint64_t> ledger() const;
  [[nodiscard]] std::uint64_t hits() const;
  [[nodiscard]] std::uint64_t lost(unsigned reason) const;
  [[nodiscard]] std::uint64_t lost_in_all() const;
  [[nodiscard]] attach::InstrumentWords words(std::size_t instrument = 0) const;
  // Of an instrument without labels: its first word (a counter's or gauge's value, a histogram's sum).
  [[nodiscard]] std::int64_t value(std::size_t instrument = 0) const;
  // Of a histogram without labels: how many values it has.
  [[nodiscard]] std::uint64_t count(std::size_t instrument = 0) const;
  // Value by label text ("2", "a,b"), and "__other__".
  [[nodiscard]] std::map<std::string, std::int64_t> by_label(std::size_t instrument = 0) const;
  [[nodiscard]] const target::Resolution& resolution() const { return resolution_; }
  [[nodiscard]] attach::LoadedProbe& loaded() { return *loaded_; }

 private:
  void read(const std::string& mapping);
  void load(const compile::Returns& returns);
  void attach(bool exits);
  void link(compile::ProgramRole role, const std::string& path, pid_t process, const attach::SiteSet& sites,
            attach::LinkKind kind = attach::LinkKind::plain);
  [[nodiscard]] std::uint64_t cookie_of(const target::Site& site, std::uint64_t detail);

  attach::Kernel kernel_;
  spec::Probe spec_;
  compile::ProbeEvaluation evaluation_;
  std::unique_ptr<compile::Stencils> stencils_;
  compile::Plan plan_;
  std::shared_ptr<attach::LoadedProbe> loaded_;
  target::Resolution resolution_;
  attach::Detacher detacher_;
  std::vector<std::uint16_t> forms_;
  std::vector<attach::Attachment> attachments_;
  std::vector<Fd> links_;
};

// "pid: 12, function: work"
[[nodiscard]] std::string target_of(const Program& program, const std::string& function);

}  // namespace diagnose::test
