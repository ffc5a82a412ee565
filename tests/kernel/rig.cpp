#include "kernel/rig.h"

#include <numeric>
#include <stdexcept>

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

}  // namespace

std::string target_of(const Program& program, const std::string& function) {
  return "pid: " + std::to_string(program.pid()) + ", function: \"" + function + "\"";
}

Rig::Rig(const std::string& mapping) {
  const spec::Document document = spec::read("probes: {rig: {" + mapping + "}}", "rig", lifespan::Clock::now());
  if (!document.faults.empty()) throw std::runtime_error(faults_of(document.faults));
  spec_ = document.probes.at(0);
  compile::Evaluated evaluated = compile::evaluate(spec_);
  if (!evaluated.faults.empty()) throw std::runtime_error(faults_of(evaluated.faults));
  evaluation_ = std::move(evaluated.probe);
  stencils_ = must(compile::Stencils::load());
  plan_ = compile::plan(spec_, evaluation_, *stencils_);
  loaded_ = must(attach::LoadedProbe::load(plan_, *stencils_, 1, spec_.id));
}

void Rig::attach() {
  const target::ProcFs proc;
  const auto reader = target::make_elf_reader();
  target::Resolver resolver(proc, *reader);
  resolution_ = must(resolver.resolve(spec_.target, plan_.exit.has_value()));
  for (const target::Module& module : resolution_.modules) {
    for (const target::Process& process : module.processes) {
      attachments_.push_back(must(attach::attach(*loaded_, module, process.pid)));
    }
  }
  if (attachments_.empty()) throw std::runtime_error("nothing to attach to");
  enable();
}

void Rig::enable(std::optional<std::chrono::nanoseconds> time, std::optional<std::uint64_t> hits) {
  must(loaded_->enable(*stencils_, time, hits));
}

void Rig::detach() {
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
