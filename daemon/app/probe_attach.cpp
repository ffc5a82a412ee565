// Probe: from the target to breakpoints.
#include <algorithm>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "app/describe.h"
#include "app/probe.h"
#include "app/strategy.h"
#include "app/survey.h"
#include "attach/installed.h"

namespace diagnose::app {

target::Need Probe::need() const {
  // Before the function is known every argument may be asked for.
  // Within a copy neither arguments nor the end of the call are where the function has them.
  const bool inlined = spec_.target.inlined && !wants_return_ && !wants_description();
  return {.exits = wants_return_,
          .entry_registers = compiled_ ? compiled_->all.entry_registers : target::every_register,
          .entry_unmoved = spec_.return_strategy == spec::ReturnStrategy::trampoline,
          .entry_memory = !compiled_ || compiled_->all.reads_memory_at_call,
          .exit_memory = wants_return_ && (!compiled_ || compiled_->all.reads_memory_at_end),
          .inlined = inlined,
          .nop5_in_body = parts_.kernel.nop5_spares_red_zone()};
}

// Programs are made for what they will meet: how the language passes arguments, and whether a thread has one stack.
Status Probe::prepare(const target::Resolution& resolution) {
  if (!compiled_) return {};  // nothing matches yet
  compile::Returns wanted{.frames = compile::FrameKey::thread,
                          .callers = wants_return_ && spec_.return_strategy != spec::ReturnStrategy::sites,
                          .trampoline = wants_return_ && spec_.return_strategy != spec::ReturnStrategy::sites,
                          .session = wants_return_ && parts_.kernel.session.has_value()};
  bool go = false;
  for (const target::Module& module : resolution.modules) {
    go = go || std::any_of(module.functions.begin(), module.functions.end(),
                           [](const target::Function& function) { return function.go; });
  }
  if (go) wanted.frames = compile::FrameKey::goroutine;
  if (!go && wants_return_) {
    const Surroundings around = parts_.survey.around(resolution.processes, true);
    if (!around.other_stacks.empty()) {
      wanted.frames = compile::FrameKey::stack;
      add_note("calls are kept by process, not by thread, and one that a longjmp leaves is noticed late: " +
               around.other_stacks);
    }
  }
  if (loaded_ && returns_.frames == wanted.frames && (!grips_.empty() || loaded_as_compiled())) return {};
  if (loaded_ && !grips_.empty()) {
    return failure({.what = "attach `" + spec_.id + "`",
                    .where = "",
                    .why = "the process switches stacks, those attached before do not",
                    .mend = "attach it with a probe of its own"});
  }
  compare_bequest(resolution);
  if (loaded_) parts_.detacher.detach(runtime_links(), [] {});  // of programs that were never used
  if (auto status = load(wanted); !status) return status;
  return armed_ ? enable() : Status{};
}

void Probe::attach_now() {
  auto resolution = resolve(nullptr);
  if (!resolution) {
    if (take_over_ended("its process ended while the daemon was started again")) return;
    drop_bequest("its process has ended, and with it the types of what was counted");
    if (errors_.empty()) add_error(resolution.error());
    end(State::failed, "");
    return;
  }
  if (auto status = prepare(*resolution); !status) {
    fail(status.error());
    return;
  }
  for (const std::string& note : resolution->notes) add_note(note);
  // With `all`, a process that cannot be read is no concern of this probe unless it says so by name.
  if (spec_.target.by != spec::TargetBy::all) {
    for (const auto& [process, error] : resolution->errors) note_error(process, error);
  }
  for (const target::Module& module : resolution->modules) {
    for (const Error& error : attach_module(module)) add_error(error);
  }
  armed_ = true;
  if (auto status = enable(); !status) {
    fail(status.error());
    return;
  }
  settle_bequest();
  settle_state();
  if (state_ == State::failed) {
    end(State::failed, "");
  } else if (state_ == State::pending) {
    add_note("no process matches yet: it is attached when one starts");
  } else if (processes().empty()) {
    add_note("no process runs it now: those that start are measured from their first instruction");
  }
}

bool Probe::debug_files_have_come() const {
  const bool wants = state_ == State::failed || state_ == State::pending || state_ == State::partial;
  return wants && !errors_.empty() && std::any_of(awaited_.begin(), awaited_.end(), [&](const std::string& build_id) {
           return !parts_.reader.is_on_its_way(build_id);
         });
}

void Probe::try_again() {
  if (grips_.empty()) return arm();
  const state::Mark dangerous = mark();
  errors_.clear();
  awaited_.clear();
  const auto resolution = resolve(nullptr);
  if (!resolution) {
    if (errors_.empty()) add_error(resolution.error());
  } else if (auto status = prepare(*resolution); !status) {
    add_error(status.error());
  } else {
    for (const auto& [process, error] : resolution->errors) note_error(process, error);
    for (const target::Module& module : resolution->modules) {
      for (const Error& error : attach_module(module)) add_error(error);
    }
  }
  settle_state();
  publish();
}

Status Probe::enable() {
  if (rehearsal_) return {};
  if (!loaded_) {  // until a process comes
    schedule_end();
    return {};
  }
  const auto expiry = expires();
  std::optional<std::chrono::nanoseconds> time;
  if (expiry) time = *expiry - lifespan::Clock::now();
  if (!keeps_end()) {
    if (auto status = loaded_->enable(parts_.stencils, time, spec_.lifespan.hits); !status) return status;
  }
  enabled_ = true;
  schedule_end();
  return {};
}

const Grip* Probe::grip_on(const target::Module& module, std::optional<pid_t> process) const {
  const auto found = std::find_if(grips_.begin(), grips_.end(), [&](const Grip& known) {
    return known.attachment.process == process && known.attachment.device == module.device &&
           known.attachment.inode == module.inode;
  });
  return found == grips_.end() ? nullptr : &*found;
}

// A file that only its own processes map can be probed whole, so that those to come are counted from their first
// instruction; a library under a process target must not cost the others anything.
std::vector<Error> Probe::attach_module(const target::Module& module) {
  const bool every_process =
      spec_.target.by == spec::TargetBy::all || (spec_.target.by == spec::TargetBy::exe && module.is_executable);
  // Where links cannot be limited to a process the programs are.
  const bool filtered = !every_process && !parts_.kernel.scopes_to_process();
  const bool whole_file = every_process || filtered;
  if (filtered) {
    for (const target::Process& process : module.processes) {
      if (auto status = loaded_->admit_process(process.pid); !status) return {status.error()};
    }
  }
  if (grip_on(module, std::nullopt) != nullptr || take_back(module, std::nullopt)) return {};
  // Once attached one by one it stays so: a breakpoint for all beside those would count twice.
  const bool one_by_one = std::any_of(grips_.begin(), grips_.end(), [&](const Grip& known) {
    return known.attachment.process && known.attachment.device == module.device &&
           known.attachment.inode == module.inode;
  });
  if (whole_file && !one_by_one && !left_one_by_one(module)) {
    auto lease = attach::Lease::take(*module.file);
    if (lease && !(module.stamp == target::FileStamp::of(module.file->get()))) {
      return {{.what = "attach",
               .where = module.path,
               .why = "the file was written to while it was read",
               .mend = "attach again when that is done"}};
    }
    const bool same = runs_as_read(module);
    if (lease && same) {
      auto status = hold(module, std::nullopt, std::move(*lease));
      return status ? std::vector<Error>{} : std::vector{status.error()};
    }
    if (filtered) {
      return {
          {.what = "attach",
           .where = module.path,
           .why = same ? "no read lease (" + lease.error().why + ")" : "a process runs other code than the file has",
           .mend = "this kernel cannot limit a breakpoint to one process, and without a lease new ones could crash"}};
    }
    add_note(module.path + ": " +
             (same ? "no read lease (" + lease.error().why + ")" : "a process runs other code than the file has") +
             ": processes are attached one by one");
  }
  std::vector<Error> errors;
  for (const target::Process& process : module.processes) {
    if (grip_on(module, process.pid) != nullptr || take_back(module, process)) continue;
    auto status = hold(module, process, std::nullopt);
    if (status) continue;
    applied_[process_key(process)] = status.error().text();
    errors.push_back(status.error());
  }
  return errors;
}

// Whether every process that maps the file has its bytes in memory.
bool Probe::runs_as_read(const target::Module& module) const {
  return std::all_of(module.processes.begin(), module.processes.end(), [&](const target::Process& process) {
    return attach::same_code(parts_.proc, process.pid, module.device, module.inode, module.functions, module.path) ||
           !parts_.proc.alive(process);
  });
}

Status Probe::hold(const target::Module& module, std::optional<target::Process> process,
                   std::optional<attach::Lease> lease) {
  const auto gone = [&] {
    return failure({.what = "attach",
                    .where = "process " + std::to_string(process->pid),
                    .why = "the process has gone",
                    .mend = "choose a running one, or target it by `exe`"});
  };
  Grip made;
  made.lease = std::move(lease);
  // The pidfd first, the start time then: a pid that was used again in between is noticed, before and after.
  if (process) {
    made.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, process->pid, 0)));
    if (!made.pidfd || !parts_.proc.alive(*process)) return gone();
    auto same =
        attach::same_code(parts_.proc, process->pid, module.device, module.inode, module.functions, module.path);
    if (!same) return parts_.proc.alive(*process) ? same : gone();
  }
  made.module = module;
  made.processes = process ? std::vector{*process} : module.processes;
  if (auto status = choose_returns(made, process); !status) return status;
  auto attachment = put_breakpoints(made, process ? std::optional(process->pid) : std::nullopt);
  if (!attachment) return tl::unexpected(attachment.error());
  made.attachment = std::move(*attachment);
  for (const std::string& note : made.attachment.notes) add_note(note);
  cover_exits(made);
  if (process && !parts_.proc.alive(*process)) {
    std::vector<Grip> late;
    late.push_back(std::move(made));
    let_go(std::move(late), {});
    return gone();
  }
  for (const target::Process& one : made.processes) applied_[process_key(one)] = "";
  grips_.push_back(std::move(made));
  if (rehearsal_) return {};
  if (process) watch(grips_.back());
  schedule_hand_over();
  return {};
}

Result<attach::Attachment> Probe::put_breakpoints(const Grip& grip, std::optional<pid_t> process) {
  if (!rehearsal_) {
    std::vector<std::uint16_t> forms;
    for (const target::Function& function : grip.module.functions) {
      const auto found = form_numbers_.find({{grip.module.device, grip.module.inode}, described_at(function)});
      forms.push_back(found == form_numbers_.end() ? std::uint16_t{0} : found->second);
    }
    return attach::attach(parts_.kernel, parts_.detacher, *loaded_, grip.module, {grip.returns, forms}, process,
                          !handed_over_);
  }
  attach::Attachment attachment;
  attachment.device = grip.module.device;
  attachment.inode = grip.module.inode;
  attachment.process = process;
  attachment.file = grip.module.file;
  return attachment;
}

}  // namespace diagnose::app
