#include "attach/attachment.h"

#include <bpf/bpf.h>
#include <cerrno>
#include <linux/types.h>
#include <string>

#include "attach/syscall.h"
#include "base/limits.h"
#include "base/units.h"

namespace diagnose::attach {
namespace {

struct Sites {
  std::vector<unsigned long> offsets;
  std::vector<__u64> cookies;
};

std::uint8_t kernel_kind(target::Tail::Kind kind) {
  switch (kind) {
    case target::Tail::Kind::always:
      return SITE_TAIL;
    case target::Tail::Kind::conditional:
      return SITE_TAIL_IF;
    case target::Tail::Kind::by_register:
      return SITE_TAIL_REGISTER;
    case target::Tail::Kind::by_memory:
      return SITE_TAIL_MEMORY;
  }
  return SITE_TAIL;
}

std::int64_t relative(LinkAddress address, const target::Site& site) {
  return static_cast<std::int64_t>(raw(address) - raw(site.address));
}

// Zero for the plain case, so that the kernel's side need not look anything up.
Result<std::uint64_t> cookie_of(LoadedProbe& probe, const target::Function& function, const target::Site& site) {
  const bool plain_cfa = site.cfa_register == target::register_sp && site.cfa_offset == 8;
  if (plain_cfa && site.kind == target::SiteKind::exit) return 0;
  struct site described {};
  described.kind = site.kind == target::SiteKind::exit ? std::uint8_t{SITE_EXIT} : kernel_kind(site.tail.kind);
  described.condition = site.tail.condition;
  described.cfa_register = site.cfa_register;
  described.cfa_offset = site.cfa_offset;
  described.base = site.tail.base;
  described.index = site.tail.index;
  described.scale = site.tail.scale;
  described.displacement = site.tail.displacement;
  described.length = site.length;
  described.low = relative(function.body.low, site);
  described.high = relative(function.body.high, site);
  if (!function.cold.empty()) {
    described.cold_low = relative(function.cold.front().low, site);
    described.cold_high = relative(function.cold.front().high, site);
  }
  return probe.add_site(described);
}

Error no_exits(const target::Module& module, const target::Function& function) {
  return {.what = "see the returns of `" + function.name + "`",
          .where = module.path,
          .why = function.exits_error,
          .mend = "ask for `event: call`, which needs only its entry"};
}

Error cannot_attach(const target::Module& module, std::optional<pid_t> process, int error) {
  Error refused{.what = "attach", .where = module.path, .why = errno_text(error), .mend = ""};
  if (process) refused.where += " in process " + std::to_string(*process);
  if (error == EPERM || error == EACCES) refused.mend = "run as root, or give CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE";
  if (error == ESRCH) {
    refused.why = "the process has gone";
    refused.mend = "choose a running one, or target it by `exe`";
  }
  return refused;
}

Result<Fd> link(int program, const Sites& sites, const target::Module& module, std::optional<pid_t> process) {
  const std::string path = "/proc/self/fd/" + std::to_string(module.file->get());
  auto options = sized<bpf_link_create_opts>();
  options.uprobe_multi.path = path.c_str();
  options.uprobe_multi.offsets = sites.offsets.data();
  options.uprobe_multi.cookies = sites.cookies.data();
  options.uprobe_multi.cnt = static_cast<std::uint32_t>(sites.offsets.size());
  if (process) options.uprobe_multi.pid = static_cast<std::uint32_t>(*process);
  Fd made(bpf_link_create(program, -1, BPF_TRACE_UPROBE_MULTI, &options));
  if (!made) return failure(cannot_attach(module, process, errno));
  return made;
}

}  // namespace

Result<Attachment> attach(LoadedProbe& probe, const target::Module& module, std::optional<pid_t> process) {
  const bool wants_exits = probe.exit_program() >= 0;
  Attachment made{.device = module.device,
                  .inode = module.inode,
                  .process = process,
                  .file = module.file,
                  .notes = {},
                  .links = {}};
  Sites entries;
  Sites exits;
  for (const target::Function& function : module.functions) {
    if (wants_exits && !function.exits_error.empty()) {
      made.notes.push_back(no_exits(module, function).text());
      continue;
    }
    for (const target::Site& site : function.sites) {
      Sites& sites = site.kind == target::SiteKind::entry ? entries : exits;
      std::uint64_t cookie = 0;
      if (site.kind != target::SiteKind::entry) {
        if (!wants_exits) continue;
        const auto own = cookie_of(probe, function, site);
        if (!own) return tl::unexpected(own.error());
        cookie = *own;
      }
      sites.offsets.push_back(raw(site.offset));
      sites.cookies.push_back(cookie);
    }
  }
  if (entries.offsets.size() + exits.offsets.size() > limits::sites_per_probe) {
    return failure({.what = "attach",
                    .where = module.path,
                    .why = std::to_string(entries.offsets.size() + exits.offsets.size()) + " sites, more than " +
                           std::to_string(limits::sites_per_probe),
                    .mend = "match fewer functions"});
  }
  if (entries.offsets.empty()) {
    return failure(module.functions.empty()
                       ? Error{.what = "attach", .where = module.path, .why = "no function", .mend = ""}
                       : no_exits(module, module.functions.front()));
  }
  // Exits first, so that no call is entered whose exit nobody watches.
  if (wants_exits && !exits.offsets.empty()) {
    auto exit_link = link(probe.exit_program(), exits, module, process);
    if (!exit_link) return tl::unexpected(exit_link.error());
    made.links.push_back(std::move(*exit_link));
  }
  auto entry_link = link(probe.entry_program(), entries, module, process);
  if (!entry_link) return tl::unexpected(entry_link.error());
  made.links.push_back(std::move(*entry_link));
  return made;
}

}  // namespace diagnose::attach
