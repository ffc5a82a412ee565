#include "attach/attachment.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <cerrno>
#include <iterator>
#include <utility>

#include "attach/cookie.h"
#include "attach/link.h"
#include "base/limits.h"
#include "base/units.h"

namespace diagnose::attach {
namespace {

using compile::ProgramRole;
using target::SiteKind;

// The breakpoints of one attachment, by the program that they run.
struct Plan {
  SiteSet entries;
  SiteSet exits;
  SiteSet learning;  // exits of functions by callers
  SiteSet trampolines;
  SiteSet sessions;  // entries and trampolines in one

  [[nodiscard]] std::size_t size() const {
    return entries.offsets.size() + exits.offsets.size() + learning.offsets.size() + trampolines.offsets.size() +
           sessions.offsets.size();
  }
};

Error no_exits(const target::Module& module, const target::Function& function) {
  return {.what = "see the returns of `" + function.name + "`",
          .where = module.path,
          .why = function.exits_error,
          .mend = "ask for `event: call`, which needs only its entry"};
}

Status add(LoadedProbe& probe, const target::Function* function, const target::Site& site, std::uint16_t number,
           SiteSet& to) {
  const auto cookie = cookie_of(probe, function, site, number);
  if (!cookie) return tl::unexpected(cookie.error());
  to.add(site, *cookie);
  return {};
}

Status add_exits(LoadedProbe& probe, const target::Function& function, SiteSet& to) {
  for (const target::Site& site : function.sites) {
    if (site.kind == SiteKind::entry) continue;
    if (auto status = add(probe, &function, site, 0, to); !status) return status;
  }
  return {};
}

Status add_function(LoadedProbe& probe, const target::Function& function, const Return& how, bool exits_of_callers,
                    Plan& plan) {
  const target::Site& entry = function.sites.front();
  if (how.strategy == Strategy::trampoline && how.only_returns && probe.program(ProgramRole::session) >= 0) {
    plan.sessions.add(entry, 0);
    return {};
  }
  const unsigned any_caller = how.strategy == Strategy::callers ? 0U : unsigned{FUNCTION_ANY_CALLER};
  const unsigned jumps = how.jumps ? unsigned{FUNCTION_JUMPS} : 0U;
  const auto number = static_cast<std::uint16_t>(how.number | any_caller | jumps);
  if (auto status = add(probe, &function, entry, number, plan.entries); !status) return status;
  switch (how.strategy) {
    case Strategy::none:
      return {};
    case Strategy::trampoline:
      plan.trampolines.offsets.push_back(raw(entry.offset));
      plan.trampolines.cookies.push_back(trampoline_cookie());
      return {};
    case Strategy::callers:
      return exits_of_callers ? add_exits(probe, function, plan.learning) : Status{};
    case Strategy::sites:
      break;
  }
  return add_exits(probe, function, plan.exits);
}

Result<Plan> plan_sites(LoadedProbe& probe, const target::Module& module, const Ways& ways, bool exits_of_callers,
                        std::vector<std::string>& notes) {
  const bool wants_return = probe.program(ProgramRole::exit) >= 0;
  Plan plan;
  for (std::size_t at = 0; at < module.functions.size(); ++at) {
    const target::Function& function = module.functions[at];
    if (!wants_return) {
      const std::uint16_t form = at < ways.forms.size() ? ways.forms[at] : std::uint16_t{0};
      if (auto status = add(probe, &function, function.sites.front(), form, plan.entries); !status) {
        return tl::unexpected(status.error());
      }
      continue;
    }
    const Return how = at < ways.returns.size() ? ways.returns[at] : Return{};
    if (how.strategy != Strategy::trampoline && !function.exits_error.empty()) {
      notes.push_back(no_exits(module, function).text());
      continue;
    }
    if (auto status = add_function(probe, function, how, exits_of_callers, plan); !status) {
      return tl::unexpected(status.error());
    }
  }
  if (plan.size() > limits::sites_per_probe) {
    return failure({.what = "attach",
                    .where = module.path,
                    .why = std::to_string(plan.size()) + " sites, more than " + std::to_string(limits::sites_per_probe),
                    .mend = "match fewer functions"});
  }
  if (plan.entries.offsets.empty() && plan.sessions.offsets.empty()) {
    return failure(module.functions.empty()
                       ? Error{.what = "attach", .where = module.path, .why = "no function", .mend = ""}
                       : no_exits(module, module.functions.front()));
  }
  return plan;
}

// Where links of one attachment go.
struct Destination {
  const LoadedProbe& probe;
  const Kernel& kernel;
  Detacher& detacher;
  const Fd& file;
  const std::string& path;
  std::optional<pid_t> process;

  Status link(ProgramRole role, const SiteSet& sites, LinkKind kind, std::vector<Fd>& links) const {
    if (sites.offsets.empty()) return {};
    auto made = link_sites(kernel, detacher, probe.program(role), sites, file.get(), path, process, kind);
    if (!made) return tl::unexpected(made.error());
    std::move(made->begin(), made->end(), std::back_inserter(links));
    return {};
  }
};

}  // namespace

const char* text(Strategy strategy) {
  switch (strategy) {
    case Strategy::none:
      return "none";
    case Strategy::trampoline:
      return "trampoline";
    case Strategy::callers:
      return "callers";
    case Strategy::sites:
      return "sites";
  }
  return "none";
}

Result<Attachment> attach(const Kernel& kernel, Detacher& detacher, LoadedProbe& probe, const target::Module& module,
                          const Ways& ways, std::optional<pid_t> process, bool exits_of_callers) {
  Attachment made{.device = module.device,
                  .inode = module.inode,
                  .process = process,
                  .file = module.file,
                  .notes = {},
                  .links = {},
                  .learning = {}};
  const auto plan = plan_sites(probe, module, ways, exits_of_callers, made.notes);
  if (!plan) return tl::unexpected(plan.error());
  const Destination to{probe, kernel, detacher, *module.file, module.path, process};
  // Entries last, so that no call is entered whose exit nobody watches.
  if (auto status = to.link(ProgramRole::exit, plan->exits, LinkKind::plain, made.links); !status) {
    return tl::unexpected(status.error());
  }
  if (auto status = to.link(ProgramRole::exit, plan->learning, LinkKind::plain, made.learning); !status) {
    return tl::unexpected(status.error());
  }
  if (auto status = to.link(ProgramRole::caller, plan->trampolines, LinkKind::returning, made.links); !status) {
    return tl::unexpected(status.error());
  }
  if (auto status = to.link(ProgramRole::session, plan->sessions, LinkKind::session, made.links); !status) {
    return tl::unexpected(status.error());
  }
  if (auto status = to.link(ProgramRole::entry, plan->entries, LinkKind::plain, made.links); !status) {
    return tl::unexpected(status.error());
  }
  return made;
}

Result<std::vector<Fd>> attach_exits(const Kernel& kernel, Detacher& detacher, LoadedProbe& probe,
                                     const target::Module& module, std::span<const Return> returns,
                                     std::span<const std::uint16_t> numbers, std::optional<pid_t> process) {
  SiteSet exits;
  for (std::size_t at = 0; at < std::min(module.functions.size(), returns.size()); ++at) {
    const bool wanted = returns[at].strategy == Strategy::callers && module.functions[at].exits_error.empty() &&
                        std::find(numbers.begin(), numbers.end(), returns[at].number) != numbers.end();
    if (!wanted) continue;
    if (auto status = add_exits(probe, module.functions[at], exits); !status) return tl::unexpected(status.error());
  }
  std::vector<Fd> links;
  const Destination to{probe, kernel, detacher, *module.file, module.path, process};
  if (auto status = to.link(ProgramRole::exit, exits, LinkKind::plain, links); !status) {
    return tl::unexpected(status.error());
  }
  return links;
}

Result<std::vector<Fd>> attach_sites(const Kernel& kernel, Detacher& detacher, LoadedProbe& probe, ProgramRole role,
                                     std::span<const target::Site> sites, const Fd& file, const std::string& path,
                                     std::optional<pid_t> process) {
  SiteSet set;
  for (const target::Site& site : sites) {
    if (auto status = add(probe, nullptr, site, 0, set); !status) return tl::unexpected(status.error());
  }
  std::vector<Fd> links;
  if (auto status = Destination{probe, kernel, detacher, file, path, process}.link(role, set, LinkKind::plain, links);
      !status) {
    return tl::unexpected(status.error());
  }
  return links;
}

Result<Fd> attach_thread_end(const LoadedProbe& probe) {
  Fd link(bpf_raw_tracepoint_open("sched_process_exit", probe.program(ProgramRole::thread_end)));
  if (link) return link;
  const int error = errno;
  return failure({.what = "see threads end",
                  .where = "tracepoint sched_process_exit",
                  .why = errno_text(error),
                  .mend = error == EPERM || error == EACCES ? "give CAP_PERFMON" : ""});
}

}  // namespace diagnose::attach
