#include "compile/stencil.h"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <map>
#include <span>
#include <string>

#include "base/fd.h"
#include "bpf/contract.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "session_stencil.skel.h"
#include "stencils.skel.h"
#pragma GCC diagnostic pop

namespace diagnose::compile {
namespace {

bool is_wide_load(const bpf_insn& instruction) {
  return instruction.code == (BPF_LD | BPF_IMM | BPF_DW);
}

bool is_local_call(const bpf_insn& instruction) {
  return instruction.code == (BPF_JMP | BPF_CALL) && instruction.src_reg == BPF_PSEUDO_CALL;
}

// A callback's address; relative, as a call's target is.
bool is_function_load(const bpf_insn& instruction) {
  return is_wide_load(instruction) && instruction.src_reg == BPF_PSEUDO_FUNC;
}

bool is_move_of(const bpf_insn& instruction, int marker) {
  return instruction.code == (BPF_ALU64 | BPF_MOV | BPF_K) && (instruction.imm & MARKER_MASK) == marker;
}

std::size_t callee_of(std::span<const bpf_insn> program, std::size_t at) {
  return static_cast<std::size_t>(static_cast<std::int64_t>(at) + 1 + program[at].imm);
}

// A relocated program: its main function, then every function that it calls, one behind the other.
class Dissection {
 public:
  Dissection(std::span<const bpf_insn> program, const std::map<int, MapRole>& maps) : program_(program), maps_(maps) {
    starts_.push_back(0);
    for (std::size_t at = 0; at < program.size(); ++at) {
      if (is_local_call(program[at]) || is_function_load(program[at])) starts_.push_back(callee_of(program, at));
    }
    std::sort(starts_.begin(), starts_.end());
    starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
  }

  // The function at `start` and its own callees, holes left out.
  Stencil stencil_from(std::size_t start) {
    order_ = {start};
    Stencil stencil;
    for (std::size_t next = 0; next < order_.size(); ++next) stencil.functions.push_back(function_at(order_[next]));
    return stencil;
  }

  // The first function that `main` calls and that is no hole: the body of an instrument.
  std::size_t body() const {
    const std::size_t main_end = end_of(0);
    for (std::size_t at = 0; at < main_end; ++at) {
      if (is_local_call(program_[at]) && hole_at(callee_of(program_, at)) == 0) return callee_of(program_, at);
    }
    return 0;
  }

 private:
  std::size_t end_of(std::size_t start) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), start);
    return next == starts_.end() ? program_.size() : *next;
  }

  int hole_at(std::size_t start) const {
    for (std::size_t at = start; at < end_of(start); ++at) {
      if (is_move_of(program_[at], MARKER_HOLE)) return program_[at].imm - MARKER_HOLE;
    }
    return 0;
  }

  std::size_t local_number(std::size_t start) {
    const auto known = std::find(order_.begin(), order_.end(), start);
    if (known == order_.end()) {
      order_.push_back(start);
      return order_.size() - 1;
    }
    return static_cast<std::size_t>(known - order_.begin());
  }

  StencilFunction function_at(std::size_t start) {
    StencilFunction function;
    const auto code = program_.subspan(start, end_of(start) - start);
    function.instructions.assign(code.begin(), code.end());
    for (std::size_t at = 0; at < code.size(); ++at) {
      const bpf_insn& instruction = code[at];
      if (is_local_call(instruction) || is_function_load(instruction)) {
        const std::size_t callee = callee_of(program_, start + at);
        const int hole = hole_at(callee);
        function.calls.push_back({.at = at, .hole = hole, .local = hole != 0 ? 0 : local_number(callee)});
        if (is_function_load(instruction)) ++at;
      } else if (is_wide_load(instruction) && instruction.src_reg == BPF_PSEUDO_MAP_FD) {
        function.maps.push_back({.at = at, .role = maps_.at(instruction.imm)});
        ++at;
      } else if (is_move_of(instruction, MARKER_CONSTANT) && at + 1 < code.size()) {
        // The marker itself becomes a no-op, which the verifier removes.
        function.instructions[at] = bpf_insn{.code = BPF_JMP | BPF_JA, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
        function.constants.push_back(
            {.at = at + 1, .number = instruction.imm - MARKER_CONSTANT, .wide = is_wide_load(code[at + 1])});
        ++at;
      }
    }
    return function;
  }

  std::span<const bpf_insn> program_;
  const std::map<int, MapRole>& maps_;
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> order_;
};

// False with errno: it is no map of this form.
bool use_again(bpf_map* map, int descriptor) {
  bpf_map_info info{};
  std::uint32_t bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(descriptor, &info, &bytes) != 0) return false;
  const bool same = info.type == static_cast<std::uint32_t>(bpf_map__type(map)) &&
                    info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
                    info.max_entries == bpf_map__max_entries(map);
  errno = EINVAL;
  return same && bpf_map__reuse_fd(map, descriptor) == 0;
}

bool use_again(const stencils& skeleton, const SharedMaps& shared) {
  return (shared.records < 0 || use_again(skeleton.maps.records, shared.records)) &&
         (shared.processes < 0 || use_again(skeleton.maps.processes, shared.processes));
}

// libbpf speaks on stderr by default.  Its lines carry nothing that errno and the verifier's log do not.
int quiet(libbpf_print_level /*level*/, const char* /*format*/, va_list /*arguments*/) {
  return 0;
}

}  // namespace

struct Stencils::Loaded {
  [[nodiscard]] std::map<int, MapRole> roles() const;

  stencils* skeleton = nullptr;
  Fd exec_link;
  Fd fork_link;
  std::unique_ptr<btf, decltype(&btf__free)> types{nullptr, btf__free};
  std::uint32_t function_type = 0;

  Loaded() = default;
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() {
    exec_link.reset();
    fork_link.reset();
    stencils::destroy(skeleton);
  }
};

Stencils::Stencils() : loaded_(std::make_unique<Loaded>()) {}
Stencils::~Stencils() = default;

Result<std::unique_ptr<Stencils>> Stencils::load(const SharedMaps& shared, std::optional<std::uint32_t> session) {
  libbpf_set_print(quiet);
  std::unique_ptr<Stencils> made(new Stencils());
  stencils*& skeleton = made->loaded_->skeleton;
  skeleton = stencils::open();
  const bool opened = skeleton != nullptr && use_again(*skeleton, shared);
  const int error = opened ? -stencils::load(skeleton) : errno;
  if (error == EPERM || error == EACCES) {
    return failure({.what = "load the kernel programs",
                    .where = "",
                    .why = "not permitted",
                    .mend = "run as root, or give CAP_BPF and CAP_PERFMON"});
  }
  if (error != 0) {
    return failure(
        {.what = "load the kernel programs",
         .where = "",
         .why = "the kernel refuses them: " + errno_text(error),
         .mend = "Linux 6.6 or later with CONFIG_BPF_SYSCALL, CONFIG_UPROBES and CONFIG_DEBUG_INFO_BTF is needed"});
  }
  if (auto status = made->take_apart(); !status) return tl::unexpected(status.error());
  if (session) made->take_session_apart(*session);
  if (auto status = made->describe_functions(); !status) return tl::unexpected(status.error());
  return made;
}

std::map<int, MapRole> Stencils::Loaded::roles() const {
  const auto& maps = skeleton->maps;
  return {
      {bpf_map__fd(maps.control), MapRole::control},     {bpf_map__fd(maps.ledger), MapRole::ledger},
      {bpf_map__fd(maps.records), MapRole::records},     {bpf_map__fd(maps.series), MapRole::series},
      {bpf_map__fd(maps.zeros), MapRole::zeros},         {bpf_map__fd(maps.frames), MapRole::frames},
      {bpf_map__fd(maps.sites), MapRole::sites},         {bpf_map__fd(maps.gauges), MapRole::gauges},
      {bpf_map__fd(maps.callers), MapRole::callers},     {bpf_map__fd(maps.callers_at_hand), MapRole::callers_at_hand},
      {bpf_map__fd(maps.processes), MapRole::processes}, {bpf_map__fd(maps.keyed_frames), MapRole::keyed_frames},
      {bpf_map__fd(maps.openers), MapRole::openers},
  };
}

Status Stencils::take_apart() {
  const std::map<int, MapRole> roles = loaded_->roles();
  const auto& programs = loaded_->skeleton->progs;
  struct Entry {
    StencilName name;
    const bpf_program* program;
    bool driver;
  };
  const Entry entries[] = {
      {StencilName::on_call, programs.on_call, true},
      {StencilName::on_enter, programs.on_enter, true},
      {StencilName::on_enter_callers, programs.on_enter_callers, true},
      {StencilName::on_exit, programs.on_exit, true},
      {StencilName::on_caller, programs.on_caller, true},
      {StencilName::on_unwind, programs.on_unwind, true},
      {StencilName::on_thread_end, programs.on_thread_end, true},
      {StencilName::on_enter_keyed, programs.on_enter_keyed, true},
      {StencilName::on_enter_callers_keyed, programs.on_enter_callers_keyed, true},
      {StencilName::on_exit_keyed, programs.on_exit_keyed, true},
      {StencilName::on_caller_keyed, programs.on_caller_keyed, true},
      {StencilName::on_unwind_keyed, programs.on_unwind_keyed, true},
      {StencilName::on_thread_end_keyed, programs.on_thread_end_keyed, true},
      {StencilName::count, programs.stencil_count, false},
      {StencilName::count_labelled, programs.stencil_count_labelled, false},
      {StencilName::histogram, programs.stencil_histogram, false},
      {StencilName::histogram_labelled, programs.stencil_histogram_labelled, false},
      {StencilName::gauge_set, programs.stencil_gauge_set, false},
      {StencilName::gauge_add, programs.stencil_gauge_add, false},
      {StencilName::gauge_extreme, programs.stencil_gauge_extreme, false},
      {StencilName::record, programs.stencil_record, false},
  };
  for (const Entry& entry : entries) {
    Dissection dissection({bpf_program__insns(entry.program), bpf_program__insn_cnt(entry.program)}, roles);
    const std::size_t start = entry.driver ? 0 : dissection.body();
    if (!entry.driver && start == 0) {
      return failure({.what = "take the kernel programs apart",
                      .where = bpf_program__name(entry.program),
                      .why = "it has no body",
                      .mend = "this is a defect of the build: report it"});
    }
    stencils_[static_cast<std::size_t>(entry.name)] = dissection.stencil_from(start);
  }
  return {};
}

// With the maps of the others.  A kernel that refuses it has none: the functions by which it asks changed their form.
void Stencils::take_session_apart(std::uint32_t attach_type) {
  const std::unique_ptr<session_stencil, decltype(&session_stencil::destroy)> skeleton(session_stencil::open(),
                                                                                       session_stencil::destroy);
  if (!skeleton) return;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    const int shared = bpf_object__find_map_fd_by_name(loaded_->skeleton->obj, bpf_map__name(map));
    if (shared < 0 || bpf_map__reuse_fd(map, shared) != 0) return;
  }
  bpf_program* program = skeleton->progs.on_session;
  bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(attach_type));
  if (session_stencil::load(skeleton.get()) != 0) return;
  std::map<int, MapRole> roles;
  bpf_object__for_each_map(map, skeleton->obj) {
    const int shared = bpf_object__find_map_fd_by_name(loaded_->skeleton->obj, bpf_map__name(map));
    roles.emplace(bpf_map__fd(map), loaded_->roles().at(shared));
  }
  Dissection dissection({bpf_program__insns(program), bpf_program__insn_cnt(program)}, roles);
  stencils_[static_cast<std::size_t>(StencilName::on_session)] = dissection.stencil_from(0);
}

int Stencils::records_fd() const {
  return bpf_map__fd(loaded_->skeleton->maps.records);
}

int Stencils::zeros_fd() const {
  return bpf_map__fd(loaded_->skeleton->maps.zeros);
}

int Stencils::processes_fd() const {
  return bpf_map__fd(loaded_->skeleton->maps.processes);
}

// `static long diagnose(void)`: nobody looks closer.
Status Stencils::describe_functions() {
  auto& types = loaded_->types;
  types.reset(btf__new_empty());
  const int number = btf__add_int(types.get(), "long", 8, BTF_INT_SIGNED);
  const int prototype = btf__add_func_proto(types.get(), number);
  const int function = btf__add_func(types.get(), "diagnose", BTF_FUNC_STATIC, prototype);
  if (!types || function < 0 || btf__load_into_kernel(types.get()) != 0) {
    return failure({.what = "describe functions to the kernel", .where = "", .why = errno_text(errno), .mend = ""});
  }
  loaded_->function_type = static_cast<std::uint32_t>(function);
  return {};
}

Stencils::FunctionType Stencils::function_type() const {
  return {.btf = btf__fd(loaded_->types.get()), .id = loaded_->function_type};
}

Result<std::uint64_t> Stencils::jiffies_after(std::chrono::nanoseconds from_now) const {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  const std::uint32_t zero = 0;
  ticks now{};
  timespec tick{};
  if (bpf_prog_test_run_opts(bpf_program__fd(loaded_->skeleton->progs.read_ticks), &options) != 0 ||
      bpf_map_lookup_elem(bpf_map__fd(loaded_->skeleton->maps.ticks), &zero, &now) != 0 ||
      ::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0) {
    return failure({.what = "read the kernel's ticks", .where = "", .why = errno_text(errno), .mend = ""});
  }
  const std::int64_t tick_ns = std::max<std::int64_t>(tick.tv_nsec, 1);
  return now.jiffies +
         static_cast<std::uint64_t>((std::max<std::int64_t>(from_now.count(), 0) + tick_ns - 1) / tick_ns);
}

Status Stencils::watch_children(pid_t pid, bool watched) {
  const int map = bpf_map__fd(loaded_->skeleton->maps.parents);
  const std::uint32_t one = 1;
  const int refused = watched ? bpf_map_update_elem(map, &pid, &one, BPF_ANY) : bpf_map_delete_elem(map, &pid);
  if (refused == 0 || (!watched && errno == ENOENT)) return {};
  return failure({.what = "watch the children of process " + std::to_string(pid),
                  .where = "",
                  .why = errno_text(errno),
                  .mend = "those of every process are watched instead"});
}

Status Stencils::follow_processes(bool follow) {
  if (!follow) {
    loaded_->exec_link.reset();
    loaded_->fork_link.reset();
    return {};
  }
  if (loaded_->exec_link) return {};
  const auto& programs = loaded_->skeleton->progs;
  loaded_->exec_link.reset(bpf_raw_tracepoint_open("sched_process_exec", bpf_program__fd(programs.on_exec)));
  loaded_->fork_link.reset(bpf_raw_tracepoint_open("sched_process_fork", bpf_program__fd(programs.on_fork)));
  if (!loaded_->exec_link || !loaded_->fork_link) {
    const int error = errno;
    loaded_->exec_link.reset();
    loaded_->fork_link.reset();
    return failure({.what = "follow processes to come",
                    .where = "tracepoints sched_process_exec and sched_process_fork",
                    .why = errno_text(error),
                    .mend = "give CAP_PERFMON; until then processes are looked for once a minute"});
  }
  return {};
}

}  // namespace diagnose::compile
