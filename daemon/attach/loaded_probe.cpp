#include "attach/loaded_probe.h"

#include <algorithm>
#include <atomic>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

#include "attach/link.h"
#include "attach/syscall.h"

namespace diagnose::attach {
namespace {

using compile::MapRole;

constexpr std::size_t verifier_log_bytes = 1U << 16U;
constexpr std::uint32_t batch_series = 256;

// The kernel writes a copy for each of them, so a guess would be written beyond: load() has asked before, and libbpf
// keeps the answer.
std::size_t cpus() {
  const int count = libbpf_num_possible_cpus();
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

// Adds up the CPUs' copies of `words` words each.
std::vector<std::uint64_t> summed(std::span<const std::uint64_t> copies, std::size_t words) {
  std::vector<std::uint64_t> sums(words, 0);
  for (std::size_t at = 0; at < copies.size(); ++at) sums[at % words] += copies[at];
  return sums;
}

const char* map_name(MapRole role) {
  switch (role) {
    case MapRole::control:
      return "dg_control";
    case MapRole::ledger:
      return "dg_ledger";
    case MapRole::series:
      return "dg_series";
    case MapRole::frames:
      return "dg_frames";
    case MapRole::sites:
      return "dg_sites";
    case MapRole::gauges:
      return "dg_gauges";
    case MapRole::records:
      return "dg_records";
    case MapRole::zeros:
      return "dg_zeros";
    case MapRole::keyed_frames:
      return "dg_keyed_frames";
    case MapRole::openers:
      return "dg_openers";
    case MapRole::callers:
      return "dg_callers";
    case MapRole::callers_at_hand:
      return "dg_at_hand";
    case MapRole::processes:
      return "dg_processes";
  }
  return "dg_map";
}

// Windows of 2^shift ticks of `tick_ns`, about a second or as long as it takes to have one record.
struct Rate {
  std::uint32_t shift = 0;
  std::uint32_t budget = 0;  // records in a window
};

Rate rate_of(std::uint64_t records_per_second, std::int64_t tick_ns) {
  constexpr double second_ns = 1e9;
  Rate rate;
  double window_ns = static_cast<double>(std::max<std::int64_t>(tick_ns, 1));
  while (window_ns < second_ns && rate.shift < 31) {
    window_ns *= 2;
    ++rate.shift;
  }
  const double records = static_cast<double>(records_per_second) * window_ns / second_ns;
  rate.budget = static_cast<std::uint32_t>(std::clamp(records, 1.0, 4e9));
  return rate;
}

Error kernel_error(std::string what, int error) {
  return {.what = std::move(what),
          .where = "",
          .why = errno_text(error),
          .mend = error == EPERM ? "run as root, or give CAP_BPF and CAP_PERFMON" : ""};
}

std::string last_lines(const std::string& log) {
  const std::size_t end = log.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  std::size_t from = end;
  for (int line = 0; line < 4 && from != std::string::npos && from > 0; ++line) from = log.rfind('\n', from - 1);
  std::string lines = log.substr(from == std::string::npos ? 0 : from, end + 1 - from);
  std::replace(lines.begin(), lines.end(), '\n', ';');
  return lines;
}

}  // namespace

Result<std::shared_ptr<LoadedProbe>> LoadedProbe::load(const Kernel& kernel, const compile::Plan& plan,
                                                       const compile::Stencils& stencils, std::uint32_t number,
                                                       const std::string& id) {
  if (const int count = libbpf_num_possible_cpus(); count < 0) {
    return failure(
        {.what = "count the CPUs", .where = "/sys/devices/system/cpu/possible", .why = errno_text(-count), .mend = ""});
  }
  std::shared_ptr<LoadedProbe> made(new LoadedProbe());
  made->instruments_ = plan.instruments;
  if (auto status = made->make_maps(plan); !status) return tl::unexpected(status.error());
  if (auto status = made->map_control(); !status) return tl::unexpected(status.error());
  if (auto status = made->begin_control(number, plan.records_per_second); !status) {
    return tl::unexpected(status.error());
  }
  if (auto status = made->load_programs(kernel, plan, stencils, id); !status) return tl::unexpected(status.error());
  made->processes_ = stencils.processes_fd();
  return made;
}

Status LoadedProbe::load_programs(const Kernel& kernel, const compile::Plan& plan, const compile::Stencils& stencils,
                                  const std::string& id) {
  for (std::size_t number = 0; number < compile::program_roles; ++number) {
    const auto role = static_cast<compile::ProgramRole>(number);
    const compile::Linked* linked = plan.program(role);
    if (linked == nullptr) continue;
    const LinkKind kind = role == compile::ProgramRole::session ? LinkKind::session : LinkKind::plain;
    const bool at_breakpoints = role != compile::ProgramRole::thread_end;
    auto program = load_program(*linked, stencils, id, role, at_breakpoints ? attach_type(kernel, kind) : 0,
                                at_breakpoints && plan.may_sleep ? BPF_F_SLEEPABLE : 0);
    if (!program) return tl::unexpected(program.error());
    programs_[number] = std::move(*program);
  }
  return {};
}

Status LoadedProbe::make_maps(const compile::Plan& plan) {
  for (const compile::MapPlan& wanted : plan.maps) {
    auto options = sized<bpf_map_create_opts>();
    options.map_flags = wanted.flags;
    std::unique_ptr<btf, decltype(&btf__free)> types(nullptr, btf__free);
    if (wanted.type == BPF_MAP_TYPE_TASK_STORAGE) {
      // Task-local storage must be typed, and the type must have the value's very size.
      types.reset(btf__new_empty());
      const int number = btf__add_int(types.get(), "u64", 8, 0);
      const int key = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
      const int value = btf__add_array(types.get(), number, number, wanted.value_bytes / 8);
      if (!types || btf__load_into_kernel(types.get()) != 0) {
        return failure(kernel_error("describe the frames to the kernel", errno));
      }
      options.map_flags = BPF_F_NO_PREALLOC;
      options.btf_fd = static_cast<std::uint32_t>(btf__fd(types.get()));
      options.btf_key_type_id = static_cast<std::uint32_t>(key);
      options.btf_value_type_id = static_cast<std::uint32_t>(value);
    }
    Fd fd(bpf_map_create(wanted.type, map_name(wanted.role), wanted.key_bytes, wanted.value_bytes, wanted.entries,
                         &options));
    if (!fd) return failure(kernel_error(std::string("make the map ") + map_name(wanted.role), errno));
    maps_.push_back({.plan = wanted, .fd = std::move(fd)});
  }
  return {};
}

const LoadedProbe::Map* LoadedProbe::find(MapRole role, int instrument) const {
  for (const Map& map : maps_) {
    if (map.plan.role == role && map.plan.instrument == instrument) return &map;
  }
  return nullptr;
}

Result<Fd> LoadedProbe::load_program(const compile::Linked& linked, const compile::Stencils& stencils,
                                     const std::string& id, compile::ProgramRole role, std::uint32_t attach_type,
                                     std::uint32_t flags) const {
  std::vector<bpf_insn> instructions = linked.instructions;
  for (const auto& use : linked.maps) {
    const bool per_instrument = use.role == MapRole::series || use.role == MapRole::gauges;
    const Map* map = find(use.role, per_instrument ? use.instrument : -1);
    int fd = map != nullptr ? map->fd.get() : -1;
    if (use.role == MapRole::records) fd = stencils.records_fd();
    if (use.role == MapRole::zeros) fd = stencils.zeros_fd();
    if (use.role == MapRole::processes) fd = stencils.processes_fd();
    instructions[use.at].imm = fd;
  }
  auto options = sized<bpf_prog_load_opts>();
  options.expected_attach_type = static_cast<bpf_attach_type>(attach_type);
  options.prog_flags = flags;
  const bpf_prog_type type =
      role == compile::ProgramRole::thread_end ? BPF_PROG_TYPE_RAW_TRACEPOINT : BPF_PROG_TYPE_KPROBE;
  std::vector<bpf_func_info> functions;
  for (const std::uint32_t start : linked.functions) functions.push_back({start, stencils.function_type().id});
  options.prog_btf_fd = static_cast<std::uint32_t>(stencils.function_type().btf);
  options.func_info = functions.data();
  options.func_info_cnt = static_cast<std::uint32_t>(functions.size());
  options.func_info_rec_size = sizeof(bpf_func_info);
  const std::string name = "diagnose_" + std::string(compile::name_of(role));
  Fd program(bpf_prog_load(type, name.c_str(), "Dual BSD/GPL", instructions.data(), instructions.size(), &options));
  if (program) return program;
  const int error = errno;
  std::string log(verifier_log_bytes, '\0');
  options.log_buf = log.data();
  options.log_size = static_cast<std::uint32_t>(log.size());
  options.log_level = 1;
  program.reset(bpf_prog_load(type, name.c_str(), "Dual BSD/GPL", instructions.data(), instructions.size(), &options));
  if (program) return program;
  log.resize(std::strlen(log.c_str()));
  Error refused = kernel_error("load the " + std::string(compile::name_of(role)) + " program of `" + id + "`", error);
  if (!log.empty()) refused.why += "; the verifier says: " + last_lines(log);
  return failure(std::move(refused));
}

LoadedProbe::~LoadedProbe() {
  for (const std::uint64_t key : admitted_) bpf_map_delete_elem(processes_, &key);
  if (control_ != nullptr) ::munmap(control_, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
}

Status LoadedProbe::map_control() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* mapped = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, find(MapRole::control)->fd.get(), 0);
  if (mapped == MAP_FAILED) return failure(kernel_error("map the probe's control", errno));
  control_ = static_cast<::control*>(mapped);
  return {};
}

Status LoadedProbe::begin_control(std::uint32_t number, std::uint64_t records_per_second) {
  control_->probe = number;
  timespec tick{};  // the kernel's HZ, as its coarse clock tells
  if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0)
    return failure(kernel_error("read the length of a tick", errno));
  const Rate rate = rate_of(records_per_second, tick.tv_nsec);
  control_->rate_shift = rate.shift;
  control_->rate_budget = rate.budget;
  return {};
}

Status LoadedProbe::enable(const compile::Stencils& stencils, std::optional<std::chrono::nanoseconds> time,
                           std::optional<std::uint64_t> hits) {
  std::uint64_t end = std::numeric_limits<std::uint64_t>::max();
  if (time) {
    const auto deadline = stencils.jiffies_after(*time);
    if (!deadline) return tl::unexpected(deadline.error());
    end = *deadline;
  }
  if (hits) {
    // By addition: programs count both words down meanwhile, and open calls have their end still before them.
    std::atomic_ref<std::int64_t> hits_left(control_->hits_left);
    const std::int64_t more = static_cast<std::int64_t>(*hits) - hits_left.load();
    std::atomic_ref<std::int64_t>(control_->ends_left).fetch_add(more);
    hits_left.fetch_add(more);
  }
  std::atomic_ref<std::uint32_t>(control_->limit_hits).store(hits ? 1 : 0);
  std::atomic_ref<std::uint64_t>(control_->deadline_jiffies).store(end);
  std::atomic_ref<std::uint32_t>(control_->enabled).store(1);
  return {};
}

void LoadedProbe::disable() {
  std::atomic_ref<std::uint32_t>(control_->enabled).store(0);
}

std::int64_t LoadedProbe::hits_left() const {
  return std::atomic_ref<std::int64_t>(control_->hits_left).load();
}

std::int64_t LoadedProbe::ends_left() const {
  return std::atomic_ref<std::int64_t>(control_->ends_left).load();
}

Result<std::vector<std::uint64_t>> LoadedProbe::ledger() const {
  const Map* map = find(MapRole::ledger);
  const std::size_t words = map->plan.value_bytes / 8;
  std::vector<std::uint64_t> copies(words * cpus());
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(map->fd.get(), &zero, copies.data()) != 0) {
    return failure(kernel_error("read the probe's ledger", errno));
  }
  return summed(copies, words);
}

Result<InstrumentWords> LoadedProbe::read(std::size_t instrument) const {
  const compile::InstrumentPlan& plan = instruments_[instrument];
  if (const Map* map = find(MapRole::gauges, static_cast<int>(instrument))) return read_gauges(*map, plan);
  auto words = ledger();
  if (!words) return tl::unexpected(words.error());
  std::vector<std::uint64_t> own(words->begin() + plan.base, words->begin() + plan.base + plan.words);
  const Map* map = find(MapRole::series, static_cast<int>(instrument));
  if (map == nullptr) return InstrumentWords{.series = {{.key = {}, .words = std::move(own)}}, .other = {}};
  auto read = read_series(*map, plan);
  const bool overflowed = std::any_of(own.begin(), own.end(), [](std::uint64_t word) { return word != 0; });
  if (read && overflowed) read->other = std::move(own);
  return read;
}

Result<InstrumentWords> LoadedProbe::read_series(const Map& map, const compile::InstrumentPlan& plan) const {
  InstrumentWords read;
  const std::size_t key_bytes = map.plan.key_bytes;
  const std::size_t copies = plan.words * cpus();
  std::uint32_t room = std::min(batch_series, map.plan.entries);
  std::uint32_t cursor = 0;
  std::uint32_t next = 0;
  bool first = true;
  while (true) {
    std::vector<std::byte> keys(key_bytes * room);
    std::vector<std::uint64_t> values(copies * room);
    std::uint32_t count = room;
    const int failed = bpf_map_lookup_batch(map.fd.get(), first ? nullptr : &cursor, &next, keys.data(), values.data(),
                                            &count, nullptr);
    const int error = errno;
    if (failed != 0 && error == ENOSPC && room < map.plan.entries) {
      room = std::min(room * 2, map.plan.entries);  // one bucket holds more than the buffer
      continue;
    }
    if (failed != 0 && error != ENOENT) return failure(kernel_error("read the probe's series", error));
    for (std::size_t at = 0; at < count; ++at) {
      const std::byte* key = keys.data() + at * key_bytes;
      read.series.push_back({.key = std::vector<std::byte>(key, key + key_bytes),
                             .words = summed({values.data() + at * copies, copies}, plan.words)});
    }
    if (failed != 0) return read;  // ENOENT: that was the last batch
    first = false;
    cursor = next;
  }
}

Result<InstrumentWords> LoadedProbe::read_gauges(const Map& map, const compile::InstrumentPlan& plan) const {
  InstrumentWords read;
  const bool labelled = map.plan.type == BPF_MAP_TYPE_HASH;
  const auto decode = [&](const gauge& stored) {
    const bool extreme = plan.stencil == compile::StencilName::gauge_extreme;
    return std::vector<std::uint64_t>{extreme ? stored.value ^ plan.gauge_mask : stored.value, stored.updates};
  };
  std::vector<std::byte> key(map.plan.key_bytes, std::byte{0});
  std::vector<std::byte> next(map.plan.key_bytes);
  const std::byte* at = nullptr;
  while (bpf_map_get_next_key(map.fd.get(), at, next.data()) == 0) {
    key = next;
    at = key.data();
    gauge stored{};
    if (bpf_map_lookup_elem(map.fd.get(), key.data(), &stored) != 0) continue;
    read.series.push_back({.key = labelled ? key : std::vector<std::byte>{}, .words = decode(stored)});
  }
  return read;
}

Result<std::uint64_t> LoadedProbe::add_site(const site& site) {
  const std::string bytes(reinterpret_cast<const char*>(&site), sizeof(site));
  if (const auto known = cookies_.find(bytes); known != cookies_.end()) return known->second;
  const Map* map = find(MapRole::sites);
  if (map == nullptr || cookies_.size() >= map->plan.entries) {
    return failure(
        {.what = "attach to the functions' exits",
         .where = "",
         .why = "more than " + std::to_string(map == nullptr ? 0 : map->plan.entries) + " of them need a description",
         .mend = "match fewer functions, or ask for `event: call`"});
  }
  const auto index = static_cast<std::uint32_t>(cookies_.size());
  if (bpf_map_update_elem(map->fd.get(), &index, &site, BPF_ANY) != 0) {
    return failure(kernel_error("write a site", errno));
  }
  return cookies_[bytes] = index + 1;
}

Status LoadedProbe::know_caller(std::uint64_t key) {
  const Map* map = find(MapRole::callers);
  const std::uint32_t known = CALLER_KNOWN;
  if (map == nullptr || bpf_map_update_elem(map->fd.get(), &key, &known, BPF_ANY) != 0) {
    return failure(kernel_error("note a caller", map == nullptr ? ENOENT : errno));
  }
  return {};
}

void LoadedProbe::callers_only(bool only) {
  std::atomic_ref<std::uint32_t>(control_->callers_only).store(only ? 1 : 0);
}

Status LoadedProbe::admit_process(pid_t process) {
  const std::uint64_t key = std::uint64_t{control_->probe} << 32U | static_cast<std::uint32_t>(process);
  const std::uint32_t nothing = 0;
  if (bpf_map_update_elem(processes_, &key, &nothing, BPF_ANY) != 0) {
    return failure(kernel_error("admit process " + std::to_string(process), errno));
  }
  admitted_.insert(key);
  std::atomic_ref<std::uint32_t>(control_->filter).store(1);
  return {};
}

void LoadedProbe::dismiss_process(pid_t process) {
  const std::uint64_t key = std::uint64_t{control_->probe} << 32U | static_cast<std::uint32_t>(process);
  if (admitted_.erase(key) != 0) bpf_map_delete_elem(processes_, &key);
}

int LoadedProbe::program(compile::ProgramRole role) const {
  return programs_[static_cast<std::size_t>(role)].get();
}

}  // namespace diagnose::attach
