#include "attach/link.h"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <cerrno>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/detacher.h"
#include "attach/syscall.h"

namespace diagnose::attach {
namespace {

// perf_event_attr::config of the uprobe PMU (Documentation/ABI/testing/sysfs-bus-event_source-devices-uprobe).
constexpr unsigned semaphore_shift = 32;

Error cannot_link(const Kernel& kernel, const std::string& path, std::optional<pid_t> process, const SiteSet& sites,
                  int error) {
  Error refused{.what = "attach", .where = path, .why = errno_text(error), .mend = ""};
  if (process) refused.where += " in process " + std::to_string(*process);
  if (error == EPERM || error == EACCES) {
    refused.mend = kernel.uprobe_multi
                       ? "run as root, or give CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE"
                       : "run as root, or give CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN: this kernel has no uprobe_multi";
  }
  if (error == ESRCH) {
    refused.why = "the process has gone";
    refused.mend = "choose a running one, or target it by `exe`";
  }
  if (error == ENOENT) refused.why = "the file has gone, or a site lies behind its end";
  if (error == EINVAL && !sites.semaphores.empty()) {
    refused.why = "the kernel refuses the marker's semaphore (" + errno_text(error) + ")";
    refused.mend = "detach what else is probed at the marker's address: all must use its semaphore";
  }
  if (error == EMFILE || error == ENFILE) {
    refused.why = "too many open files";
    refused.mend = "match fewer functions, or raise LimitNOFILE";
  }
  return refused;
}

// Same layout as uprobe_multi's; libbpf 1.4's bpf_link_create() knows no other attach types than those of its time.
Fd link_session(const Kernel& kernel, int program, const bpf_link_create_opts& options) {
  bpf_attr request{};
  request.link_create.prog_fd = static_cast<std::uint32_t>(program);
  request.link_create.attach_type = *kernel.session;
  request.link_create.uprobe_multi.path = reinterpret_cast<std::uintptr_t>(options.uprobe_multi.path);
  request.link_create.uprobe_multi.offsets = reinterpret_cast<std::uintptr_t>(options.uprobe_multi.offsets);
  request.link_create.uprobe_multi.ref_ctr_offsets =
      reinterpret_cast<std::uintptr_t>(options.uprobe_multi.ref_ctr_offsets);
  request.link_create.uprobe_multi.cookies = reinterpret_cast<std::uintptr_t>(options.uprobe_multi.cookies);
  request.link_create.uprobe_multi.cnt = options.uprobe_multi.cnt;
  request.link_create.uprobe_multi.pid = options.uprobe_multi.pid;
  return Fd(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &request, sizeof(request))));
}

// No descriptor and errno if the kernel refuses.
Fd link_multi(const Kernel& kernel, int program, const SiteSet& sites, const char* path, std::optional<pid_t> process,
              LinkKind kind) {
  auto options = sized<bpf_link_create_opts>();
  options.uprobe_multi.path = path;
  options.uprobe_multi.offsets = sites.offsets.data();
  options.uprobe_multi.cookies = reinterpret_cast<const __u64*>(sites.cookies.data());
  if (!sites.semaphores.empty()) options.uprobe_multi.ref_ctr_offsets = sites.semaphores.data();
  options.uprobe_multi.cnt = static_cast<std::uint32_t>(sites.offsets.size());
  if (process && kernel.scopes_to_process()) options.uprobe_multi.pid = static_cast<std::uint32_t>(*process);
  if (kind == LinkKind::session) return link_session(kernel, program, options);
  if (kind == LinkKind::returning) options.uprobe_multi.flags = BPF_F_UPROBE_MULTI_RETURN;
  return Fd(bpf_link_create(program, -1, BPF_TRACE_UPROBE_MULTI, &options));
}

// A perf event is bound to a process or to a processor.  Bound to a process it slows each of its context switches;
// bound to any one processor a program of the event runs on all (kernel: trace_uprobe.c, __uprobe_perf_func runs
// programs before it looks at the processor's own list).
Fd link_event(const PerfUprobes& pmu, int program, const char* path, const SiteSet& sites, std::size_t at,
              bool returning) {
  perf_event_attr event{};
  event.size = sizeof(event);
  event.type = pmu.type;
  event.config = returning ? 1ULL << pmu.retprobe_bit : 0;
  if (!sites.semaphores.empty()) event.config |= std::uint64_t{sites.semaphores[at]} << semaphore_shift;
  event.config1 = reinterpret_cast<std::uintptr_t>(path);  // uprobe_path
  event.config2 = sites.offsets[at];                       // probe_offset
  event.disabled = 1;
  const Fd opened(static_cast<int>(::syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!opened) return {};
  auto options = sized<bpf_link_create_opts>();
  options.perf_event.bpf_cookie = sites.cookies[at];
  Fd link(bpf_link_create(program, opened.get(), BPF_PERF_EVENT, &options));
  if (!link || ::ioctl(opened.get(), PERF_EVENT_IOC_ENABLE, 0) != 0) return {};
  return link;  // it holds the event (kernel: bpf_perf_link_attach takes the file), so that one descriptor is enough
}

}  // namespace

void SiteSet::add(const target::Site& site, std::uint64_t cookie) {
  if (site.semaphore != FileOffset{} && semaphores.empty()) semaphores.resize(offsets.size());
  if (!semaphores.empty() || site.semaphore != FileOffset{}) semaphores.push_back(raw(site.semaphore));
  offsets.push_back(raw(site.offset));
  cookies.push_back(cookie);
}

std::uint32_t attach_type(const Kernel& kernel, LinkKind kind) {
  if (kind == LinkKind::session) return kernel.session.value_or(0);
  return kernel.uprobe_multi ? BPF_TRACE_UPROBE_MULTI : 0;
}

Result<std::vector<Fd>> link_sites(const Kernel& kernel, Detacher& detacher, int program, const SiteSet& sites,
                                   int file, const std::string& path, std::optional<pid_t> process, LinkKind kind) {
  std::vector<Fd> links;
  if (sites.offsets.empty()) return links;
  if (kind == LinkKind::session && !kernel.session) {
    return failure({.what = "attach", .where = path, .why = "the kernel has no uprobe.session", .mend = ""});
  }
  constexpr unsigned long semaphore_most = 0xffffffff;  // of a perf event
  if (!kernel.uprobe_multi && std::any_of(sites.semaphores.begin(), sites.semaphores.end(),
                                          [](unsigned long offset) { return offset > semaphore_most; })) {
    return failure({.what = "attach",
                    .where = path,
                    .why = "a marker's semaphore lies behind the first 4 GiB of the file",
                    .mend = "use Linux 6.6 or later"});
  }
  const std::string opened = "/proc/self/fd/" + std::to_string(file);
  if (kernel.uprobe_multi) {
    links.push_back(link_multi(kernel, program, sites, opened.c_str(), process, kind));
    if (!links.back()) return failure(cannot_link(kernel, path, process, sites, errno));
    return links;
  }
  for (std::size_t at = 0; at < sites.offsets.size(); ++at) {
    Fd link = link_event(kernel.perf_uprobes, program, opened.c_str(), sites, at, kind == LinkKind::returning);
    if (!link) {
      const int error = errno;
      detacher.detach(std::move(links), [] {});
      return failure(cannot_link(kernel, path, process, sites, error));
    }
    links.push_back(std::move(link));
  }
  return links;
}

}  // namespace diagnose::attach
