// Probe: its expressions, compiled against what debug information says of the functions.
#include <algorithm>
#include <utility>

#include "app/describe.h"
#include "app/other_globals.h"
#include "app/probe.h"
#include "compile/forms.h"

namespace diagnose::app {
namespace {

// Entries, and exits too where asked.
bool all_cheap(const target::Resolution& resolution, bool exits) {
  const auto cheap = [](const target::Site& site) { return site.cost != target::Cost::stepped; };
  return std::all_of(resolution.modules.begin(), resolution.modules.end(), [&](const target::Module& module) {
    return std::all_of(module.functions.begin(), module.functions.end(), [&](const target::Function& function) {
      const auto end = exits || function.sites.empty() ? function.sites.end() : std::next(function.sites.begin());
      return std::all_of(function.sites.begin(), end, cheap);
    });
  });
}

// Inlined copies of the functions, for people.
std::vector<std::string> inlined_notes(const target::Module& module, const target::DebugInfo& description) {
  std::vector<std::string> notes;
  for (const target::Function& function : module.functions) {
    for (const target::Described& place : description.places) {
      if (place.at != described_at(function) || place.inlined == 0) continue;
      notes.push_back(function.name + ": " + std::to_string(place.inlined) +
                      (place.inlined == 1 ? " inlined copy is" : " inlined copies are") +
                      " not counted: what the probe asks for is known in the function itself only");
    }
  }
  return notes;
}

}  // namespace

Status Probe::refuse(const std::vector<spec::Fault>& faults) {
  for (const spec::Fault& fault : faults) add_error(fault.error());
  return failure(faults.front().error());
}

// What can be said before the function is known.
Status Probe::check() {
  compiled_.reset();
  if (const auto faults = compile::check(spec_); !faults.empty()) return refuse(faults);
  names_ = compile::names_of(spec_);
  mentions_ = compile::mentions_of(spec_);
  wants_return_ = mentions_.end;
  if (wants_description()) return {};
  compile::Evaluated evaluated = compile::evaluate(spec_, {.may_sleep = parts_.kernel.uprobe_multi});
  if (!evaluated.faults.empty()) return refuse(evaluated.faults);
  compiled_ = Forms{.each = {evaluated.probe}, .all = evaluated.probe};
  return {};
}

// Positions of arguments and the result's register are known without, but not their types, nor which are in an xmm
// register.
bool Probe::wants_description() const {
  return names_.any || names_.typed;
}

Result<target::Resolution> Probe::resolve(const target::Process* process) {
  (void)parts_.reader.take_awaited();  // of others
  auto resolution = look_up(process);
  awaited_.merge(parts_.reader.take_awaited());
  return resolution;
}

Result<target::Resolution> Probe::look_up(const target::Process* process) {
  const auto look = [&] {
    return process != nullptr ? parts_.resolver.resolve(spec_.target, need(), *process)
                              : parts_.resolver.resolve(spec_.target, need());
  };
  if (wants_description() && grips_.empty()) compiled_.reset();
  const target::Need asked = need();
  auto resolution = look();
  if (!resolution || resolution->modules.empty()) return resolution;
  Descriptions descriptions;
  if (auto status = compile(*resolution, descriptions); !status) return tl::unexpected(status.error());
  // Fewer registers to keep, and no memory, leave more places for the breakpoint.
  const target::Need wanted = need();
  const bool same = wanted.entry_registers == asked.entry_registers && wanted.entry_memory == asked.entry_memory &&
                    wanted.exit_memory == asked.exit_memory;
  const bool is_kept = (asked.entry_registers & wanted.entry_registers) == wanted.entry_registers &&
                       asked.entry_memory >= wanted.entry_memory && asked.exit_memory >= wanted.exit_memory;
  if (same || (is_kept && all_cheap(*resolution, asked.exit_memory != wanted.exit_memory))) return resolution;
  resolution = look();
  if (!resolution || resolution->modules.empty()) return resolution;
  if (auto status = compile(*resolution, descriptions); !status) return tl::unexpected(status.error());
  return resolution;
}

bool Probe::loaded_as_compiled() const {
  return compile::same(forms_.all, compiled_->all);
}

Status Probe::compile(target::Resolution& resolution, Descriptions& descriptions) {
  if (grips_.empty()) {
    compiled_.reset();
    form_numbers_.clear();
  }
  PlaceCompiler places(
      spec_,
      {.described = wants_description(), .ends_of_calls = wants_return_, .may_sleep = parts_.kernel.uprobe_multi},
      grips_.empty() ? nullptr : &forms_);
  std::vector<target::Module*> fresh;
  for (target::Module& module : resolution.modules) {
    const auto [known, added] = descriptions.try_emplace({module.device, module.inode});
    if (added) fresh.push_back(&module);
    if (added && wants_description()) {
      auto described = describe(parts_.reader, module, names_);
      if (!described && names_.any) return tl::unexpected(described.error());
      if (described) known->second.debug = std::move(*described);
      known->second.others =
          other_globals(parts_.proc, parts_.reader, names_, spec_.target, module, known->second.debug);
    }
    places.add(module, known->second);
  }
  if (auto forms = places.settle()) compiled_ = std::move(*forms);
  for (const auto& [place, number] : places.numbers()) form_numbers_[place] = number;
  for (const target::Module* module : fresh)
    note_copies(*module, descriptions.at({module->device, module->inode}).debug);
  std::erase_if(resolution.modules, [](const target::Module& module) { return module.functions.empty(); });
  for (const Error& error : places.errors()) add_error(error);
  return resolution.modules.empty() ? failure(places.errors().front()) : Status{};
}

// Inlined copies that are not counted, where that can be told in little time.
void Probe::note_copies(const target::Module& module, const target::DebugInfo& description) {
  const bool leaves_out = spec_.target.inlined && (wants_return_ || wants_description());
  if (!grips_.empty() || !leaves_out || spec_.target.place_by != spec::PlaceBy::function) return;
  constexpr std::size_t few = 20;  // functions; of many it takes too long to find out
  if (wants_description()) {
    for (const std::string& note : inlined_notes(module, description)) add_note(note);
  } else if (module.functions.size() <= few) {
    const auto described = describe(parts_.reader, module, {});
    if (!described) return;  // a note less
    for (const std::string& note : inlined_notes(module, *described)) add_note(note);
  }
}

}  // namespace diagnose::app
