#include "kernel/rig.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fstream>
#include <numeric>
#include <set>
#include <stdexcept>

#include "compile/forms.h"
#include "event/layout.h"

namespace diagnose::test {
namespace {

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().text());
}

std::string faults_of(const std::vector<spec::Fault>& faults) {
  std::string text;
  for (const spec::Fault& fault : faults) text += fault.text() + "\n";
  return text;
}

target::FileRequest request_for(const Fd& file, const std::string& function) {
  target::FileRequest request;
  request.fd = file.get();
  request.name = "program";
  request.function = function;
  return request;
}

}  // namespace

std::string target_of(const Program& program, const std::string& function) {
  return "pid: " + std::to_string(program.pid()) + ", function: \"" + function + "\"";
}

void Rig::read(const std::string& mapping) {
  const spec::Document document = spec::read("probes: {rig: {" + mapping + "}}", "rig", lifespan::Clock::now());
  if (!document.faults.empty()) throw std::runtime_error(faults_of(document.faults));
  spec_ = document.probes.at(0);
}

void Rig::load(const compile::Returns& returns) {
  kernel_ = must(attach::Kernel::detect());
  stencils_ = must(compile::Stencils::load());
  plan_ = compile::plan(spec_, evaluation_, *stencils_, returns);
  loaded_ = must(attach::LoadedProbe::load(kernel_, plan_, *stencils_, 1, spec_.id));
}

Rig::Rig(const std::string& mapping, const compile::Returns& returns, const compile::Subject& subject) {
  read(mapping);
  compile::Evaluated evaluated = compile::evaluate(spec_, subject);
  if (!evaluated.faults.empty()) throw std::runtime_error(faults_of(evaluated.faults));
  evaluation_ = std::move(evaluated.probe);
  load(returns);
}

Rig::Rig(const std::string& mapping, const Places& places) {
  read(mapping);
  std::vector<compile::ProbeEvaluation> forms;
  for (const compile::Subject& place : places.each) {
    compile::Evaluated evaluated = compile::evaluate(spec_, place);
    if (!evaluated.faults.empty()) throw std::runtime_error(faults_of(evaluated.faults));
    forms_.push_back(static_cast<std::uint16_t>(forms.size()));
    forms.push_back(std::move(evaluated.probe));
  }
  auto all = compile::choosing(forms);
  if (!all) throw std::runtime_error("too large");
  evaluation_ = std::move(*all);
  load({});
}

void Rig::attach() {
  attach(plan_.exit.has_value());
}

void Rig::attach_entries() {
  attach(false);
}

void Rig::attach(bool exits) {
  const target::ProcFs proc;
  const auto reader = target::make_elf_reader();
  target::Resolver resolver(proc, *reader);
  resolution_ = must(resolver.resolve(spec_.target, {.exits = exits, .entry_registers = evaluation_.entry_registers}));
  for (const target::Module& module : resolution_.modules) {
    const attach::Return how{
        .strategy = exits ? attach::Strategy::sites : attach::Strategy::callers, .why = "", .number = 0};
    const std::vector<attach::Return> returns(module.functions.size(), how);
    const auto hold = [&](std::optional<pid_t> process) {
      attachments_.push_back(
          must(attach::attach(kernel_, detacher_, *loaded_, module, {returns, forms_}, process, false)));
    };
    const bool scoped = kernel_.scopes_to_process();
    for (const target::Process& process : module.processes) {
      if (scoped) {
        hold(process.pid);
      } else {
        must(loaded_->admit_process(process.pid));
      }
    }
    if (!scoped) hold(std::nullopt);
  }
  if (attachments_.empty()) throw std::runtime_error("nothing to attach to");
  enable();
}

void Rig::enable(std::optional<std::chrono::nanoseconds> time, std::optional<std::uint64_t> hits) {
  must(loaded_->enable(*stencils_, time, hits));
}

void Rig::link(compile::ProgramRole role, const std::string& path, pid_t process, const attach::SiteSet& sites,
               attach::LinkKind kind) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto made =
      must(attach::link_sites(kernel_, detacher_, loaded_->program(role), sites, file.get(), path, process, kind));
  for (Fd& each : made) links_.push_back(std::move(each));
}

std::uint64_t Rig::cookie_of(const target::Site& site, std::uint64_t detail) {
  const bool plain = site.cfa_register == target::register_sp && !site.cfa_indirect && !site.unless &&
                     site.result_register == target::register_result;
  if (plain) return static_cast<std::uint64_t>(site.cfa_offset) | detail << COOKIE_DETAIL_SHIFT;
  struct site described {};
  described.kind = site.kind == target::SiteKind::caller ? std::uint8_t{SITE_CALLER} : std::uint8_t{SITE_ENTRY};
  described.condition = site.unless.value_or(CONDITION_NONE);
  described.cfa_register = site.cfa_register;
  described.cfa_offset = site.cfa_offset;
  described.cfa_indirect = site.cfa_indirect ? 1 : 0;
  described.result_register = site.result_register;
  described.return_offset = static_cast<std::uint32_t>(detail);
  return must(loaded_->add_site(described)) << COOKIE_SITE_SHIFT | detail << COOKIE_DETAIL_SHIFT;
}

void Rig::watch_callers(const Program& program, const std::string& function, bool known) {
  const Fd file(::open(program.path().c_str(), O_RDONLY | O_CLOEXEC));
  const auto reader = target::make_elf_reader();
  const auto answer = must(reader->read(request_for(file, function)));
  const target::Function& callee = answer.functions.at(0);
  const auto found = must(reader->callers(
      {.fd = file.get(), .name = "program", .callees = {{.function = 0, .address = callee.body.low, .symbols = {}}}}));
  if (found.callers.empty()) throw std::runtime_error("nobody calls " + function);
  attach::SiteSet sites;
  for (const target::Caller& caller : found.callers) {
    sites.offsets.push_back(raw(caller.site.offset));
    sites.cookies.push_back(cookie_of(caller.site, raw(caller.site.address) - raw(caller.site.return_address)));
    const std::uint64_t distance = raw(caller.site.return_address) - raw(callee.sites.at(0).address);
    if (known) must(loaded_->know_caller(distance & CALLER_DISTANCE_MASK));
  }
  link(compile::ProgramRole::caller, program.path(), program.pid(), sites);
  loaded_->callers_only(true);
}

void Rig::watch_trampoline(const Program& program, const std::string& function) {
  const Fd file(::open(program.path().c_str(), O_RDONLY | O_CLOEXEC));
  const auto reader = target::make_elf_reader();
  const auto answer = must(reader->read(request_for(file, function)));
  link(compile::ProgramRole::caller, program.path(), program.pid(),
       {.offsets = {raw(answer.functions.at(0).sites.at(0).offset)},
        .cookies = {std::uint64_t{CALLER_ANY} << COOKIE_DETAIL_SHIFT}},
       attach::LinkKind::returning);
}

void Rig::watch_unwinding(const Program& program) {
  std::set<std::string> paths;
  std::ifstream maps("/proc/" + std::to_string(program.pid()) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" r-xp ") != std::string::npos && line.find('/') != std::string::npos) {
      paths.insert(line.substr(line.find('/')));
    }
  }
  const auto reader = target::make_elf_reader();
  for (const std::string& path : paths) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto traits = must(reader->traits(file.get(), path));
    attach::SiteSet sites;
    for (const target::Site& site : traits.catches) {
      sites.offsets.push_back(raw(site.offset));
      sites.cookies.push_back(cookie_of(site, static_cast<std::uint64_t>(site.unwind)));
    }
    if (!sites.offsets.empty()) link(compile::ProgramRole::unwind, path, program.pid(), sites);
  }
}

void Rig::watch_thread_ends() {
  Fd made(bpf_raw_tracepoint_open("sched_process_exit", loaded_->program(compile::ProgramRole::thread_end)));
  if (!made) throw std::runtime_error("sched_process_exit");
  links_.push_back(std::move(made));
}

void Rig::detach() {
  links_.clear();
  attachments_.clear();
}

std::vector<std::uint64_t> Rig::ledger() const {
  return must(loaded_->ledger());
}

std::uint64_t Rig::hits() const {
  return ledger().at(LEDGER_HITS);
}

std::uint64_t Rig::lost(unsigned reason) const {
  return ledger().at(LEDGER_LOST_FIRST + reason);
}

std::uint64_t Rig::lost_in_all() const {
  const auto words = ledger();
  return std::accumulate(words.begin() + LEDGER_LOST_FIRST, words.begin() + LEDGER_FIXED_WORDS, std::uint64_t{0});
}

attach::InstrumentWords Rig::words(std::size_t instrument) const {
  return must(loaded_->read(instrument));
}

std::int64_t Rig::value(std::size_t instrument) const {
  return static_cast<std::int64_t>(words(instrument).series.at(0).words.at(0));
}

std::uint64_t Rig::count(std::size_t instrument) const {
  const auto read = words(instrument);
  const auto& bins = read.series.at(0).words;
  return std::accumulate(bins.begin() + 1, bins.end(), std::uint64_t{0});
}

std::map<std::string, std::int64_t> Rig::by_label(std::size_t instrument) const {
  std::map<std::string, std::int64_t> values;
  const attach::InstrumentWords read = words(instrument);
  for (const auto& series : read.series) {
    std::string label;
    for (const event::Column& column : evaluation_.instruments.at(instrument).key.columns) {
      if (!label.empty()) label += ",";
      label += event::text_of(event::value_of(column, series.key));
    }
    values[label] = static_cast<std::int64_t>(series.words.at(0));
  }
  if (!read.other.empty()) values["__other__"] = static_cast<std::int64_t>(read.other.at(0));
  return values;
}

}  // namespace diagnose::test
