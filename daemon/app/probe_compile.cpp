// Probe: its expressions, compiled against what debug information says of the functions.
#include <algorithm>
#include <cstring>
#include <utility>

#include "app/describe.h"
#include "app/probe.h"
#include "target/elf_image.h"

namespace diagnose::app {
namespace {

bool same(const compile::Function& a, const compile::Function& b) {
  const std::size_t bytes = a.instructions.size() * sizeof(bpf_insn);
  return a.instructions.size() == b.instructions.size() &&
         (bytes == 0 || std::memcmp(a.instructions.data(), b.instructions.data(), bytes) == 0);
}

bool same(const event::Layout& a, const event::Layout& b) {
  return std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end());
}

// One program serves both.
bool same(const compile::ProbeEvaluation& a, const compile::ProbeEvaluation& b) {
  if (a.entry_registers != b.entry_registers || a.capture.has_value() != b.capture.has_value()) return false;
  if (a.capture && !same(*a.capture, *b.capture)) return false;
  return std::equal(a.instruments.begin(), a.instruments.end(), b.instruments.begin(), b.instruments.end(),
                    [](const compile::Evaluation& one, const compile::Evaluation& other) {
                      return same(one.admit, other.admit) && same(one.evaluate, other.evaluate) &&
                             same(one.key, other.key) && same(one.payload, other.payload);
                    });
}

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

// Where the same is asked for as at the places before, but lies elsewhere.
Error lies_elsewhere(const std::string& id, const target::Module& module, const target::Function& function) {
  Error error{.what = "attach `" + id + "`",
              .where = module.path + ":" + function.name,
              .why = "what it asks for lies elsewhere there than in the functions before",
              .mend = "give that function a probe of its own"};
  if (function.sites.empty() || function.sites.front().kind != target::SiteKind::usdt) return error;
  error.where += " at " + target::hex(raw(function.sites.front().address));
  error.why = "the marker's arguments lie elsewhere there than at its places before: it is not counted there";
  error.mend = "leave the arguments out, and every place is counted";
  return error;
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
  compiled_ = std::move(evaluated.probe);
  return {};
}

// Positions of arguments and the result's register are known without, but not their types, nor which are in an xmm
// register.
bool Probe::wants_description() const {
  return names_.any || names_.typed;
}

Result<target::Resolution> Probe::resolve(const target::Process* process) {
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
  return same(evaluation_, *compiled_);
}

Status Probe::compile(target::Resolution& resolution, Descriptions& descriptions) {
  if (grips_.empty()) compiled_.reset();
  std::vector<Error> refused;
  for (target::Module& module : resolution.modules) {
    const auto [known, added] = descriptions.try_emplace({module.device, module.inode});
    if (added && wants_description()) {
      auto described = describe(parts_.reader, module, names_);
      if (!described && names_.any) return tl::unexpected(described.error());
      if (described) known->second = std::move(*described);
    }
    compile_module(module, known->second, refused);
    const bool leaves_out = spec_.target.inlined && (wants_return_ || wants_description());
    if (!added || !grips_.empty() || !leaves_out || spec_.target.place_by != spec::PlaceBy::function) continue;
    constexpr std::size_t few = 20;  // functions; of many it takes too long to find out
    if (wants_description()) {
      for (const std::string& note : inlined_notes(module, known->second)) add_note(note);
    } else if (module.functions.size() <= few) {
      const auto described = describe(parts_.reader, module, {});
      if (!described) continue;  // a note less
      for (const std::string& note : inlined_notes(module, *described)) add_note(note);
    }
  }
  std::erase_if(resolution.modules, [](const target::Module& module) { return module.functions.empty(); });
  for (const Error& error : refused) add_error(error);
  return resolution.modules.empty() ? failure(refused.front()) : Status{};
}

// Leaves the functions that one program serves; the others are refused by name.
void Probe::compile_module(target::Module& module, const target::DebugInfo& description, std::vector<Error>& refused) {
  std::optional<compile::Abi> done;  // without a description all functions of a language are alike
  const auto unfit = [&](const target::Function& function) {
    const compile::Abi abi = function.go ? compile::Abi::go : compile::Abi::system_v;
    if (!wants_description() && done == abi) return false;
    done = abi;
    const auto place = std::find_if(description.places.begin(), description.places.end(),
                                    [&](const target::Described& one) { return one.at == described_at(function); });
    const bool known = description.present && place != description.places.end();
    compile::Evaluated evaluated = compile::evaluate(
        spec_, {.abi = abi,
                .debug = known ? &description : nullptr,
                .place = known ? static_cast<std::size_t>(place - description.places.begin()) : 0,
                .site = function.sites.empty() ? std::nullopt : std::optional(function.sites.front().address),
                .may_sleep = parts_.kernel.uprobe_multi});
    for (const spec::Fault& fault : evaluated.faults) {
      Error error = fault.error();
      const bool told = known && !place->function.empty();
      if (!told && !description.missing.empty()) error.why += " (" + description.missing + ")";
      refused.push_back(std::move(error));
    }
    if (!evaluated.faults.empty()) return true;
    const compile::ProbeEvaluation* reference = compiled_ ? &*compiled_ : nullptr;
    if (!grips_.empty()) reference = &evaluation_;
    if (reference == nullptr) {
      compiled_ = std::move(evaluated.probe);
      return false;
    }
    if (same(*reference, evaluated.probe)) return false;
    refused.push_back(lies_elsewhere(spec_.id, module, function));
    return true;
  };
  std::erase_if(module.functions, unfit);
}

}  // namespace diagnose::app
