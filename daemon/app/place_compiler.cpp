#include "app/place_compiler.h"

#include <algorithm>

#include "app/describe.h"
#include "base/limits.h"
#include "compile/forms.h"
#include "target/elf_image.h"

namespace diagnose::app {
namespace {

bool is_inside(const target::Function& function) {
  return !function.sites.empty() && function.sites.front().kind != target::SiteKind::entry;
}

// "/usr/bin/shop:checkout(int)", of a place within a function with its address.
std::string where_of(const target::Module& module, const target::Function& function) {
  std::string where = module.path + ":" + function.name;
  if (is_inside(function)) where += " at " + target::hex(raw(function.sites.front().address));
  return where;
}

Error lies_elsewhere() {
  return {.what = "",
          .where = "",
          .why = "what it asks for lies elsewhere there than in the functions before",
          .mend = "give that function a probe of its own, or ask for `event: call`"};
}

Error is_loaded() {
  return {.what = "",
          .where = "",
          .why = "what it asks for lies elsewhere there than at the places that are attached: it is not counted there",
          .mend = "attach the probe again now that they are all there, or leave out what it asks for"};
}

Error of_another_type() {
  return {.what = "",
          .where = "",
          .why = "what it asks for is of another type there than at the places before: it is not counted there",
          .mend = "cast it to one type, or give that place a probe of its own"};
}

Error too_many() {
  return {.what = "",
          .where = "",
          .why = "what it asks for lies in more than " + std::to_string(limits::forms_per_probe) +
                 " different ways at its places: it is not counted there",
          .mend = "match fewer places"};
}

Error too_large() {
  return {.what = "",
          .where = "",
          .why = "with the forms that its places need the program is too large: it is not counted there",
          .mend = "simplify the expressions, or match fewer places"};
}

}  // namespace

compile::Abi PlaceCompiler::abi_of(const target::Function& function) const {
  return function.go ? compile::Abi::go : compile::Abi::system_v;
}

compile::Evaluated PlaceCompiler::evaluate(const Place& place, const compile::ProbeEvaluation* like) const {
  const target::Function& function = place.code();
  const auto& described = place.description->debug.places;
  const auto found = std::find_if(described.begin(), described.end(),
                                  [&](const target::Described& one) { return one.at == described_at(function); });
  const bool known = place.description->debug.present && found != described.end();
  return compile::evaluate(
      spec_, {.abi = abi_of(function),
              .debug = known || !place.description->others.empty() ? &place.description->debug : nullptr,
              .place = static_cast<std::size_t>(found - described.begin()),
              .site = function.sites.empty() ? std::nullopt : std::optional(function.sites.front().address),
              .may_sleep = wants_.may_sleep,
              .others = place.description->others,
              .like = like});
}

// Why nothing can be said of what lies where is told where debug information was looked for in vain.
void PlaceCompiler::refuse(const Place& place, const std::vector<spec::Fault>& faults) {
  const target::Function& function = place.code();
  const target::DebugInfo& description = place.description->debug;
  const bool told = std::any_of(description.places.begin(), description.places.end(), [&](const auto& one) {
    return description.present && one.at == described_at(function) && !one.function.empty();
  });
  for (const spec::Fault& fault : faults) {
    Error error = fault.error();
    if (is_inside(function)) error.why += ", in " + where_of(*place.module, function);
    if (!told && !description.missing.empty()) error.why += " (" + description.missing + ")";
    errors_.push_back(std::move(error));
  }
}

std::optional<std::size_t> PlaceCompiler::kind_of(const Place& place) {
  compile::Evaluated evaluated = evaluate(place, loaded_ != nullptr ? &loaded_->all : nullptr);
  if (!evaluated.faults.empty()) {
    refuse(place, evaluated.faults);
    return std::nullopt;
  }
  const auto known = std::find_if(kinds_.begin(), kinds_.end(),
                                  [&](const Kind& kind) { return compile::same(kind.evaluation, evaluated.probe); });
  if (known != kinds_.end()) return static_cast<std::size_t>(known - kinds_.begin());
  // Those beyond the bound need not be told apart: one more kind stands for them all.
  if (kinds_.size() > limits::forms_per_probe) return kinds_.size() - 1;
  kinds_.push_back({.evaluation = std::move(evaluated.probe), .first = place, .form = {}, .refusal = too_many()});
  return kinds_.size() - 1;
}

void PlaceCompiler::add(target::Module& module, const Description& description) {
  for (std::size_t at = 0; at < module.functions.size(); ++at) {
    Place place{.module = &module, .function = at, .description = &description, .kind = {}};
    if (wants_.described) {
      place.kind = kind_of(place);
    } else {
      const auto [known, added] = by_language_.try_emplace(abi_of(place.code()));
      if (added) known->second = kind_of(place);
      place.kind = known->second;
    }
    places_.push_back(place);
  }
}

std::span<PlaceCompiler::Kind> PlaceCompiler::told_apart() {
  return std::span(kinds_).first(std::min(kinds_.size(), limits::forms_per_probe));
}

void PlaceCompiler::find_loaded() {
  for (Kind& kind : told_apart()) {
    const auto found = std::find_if(loaded_->each.begin(), loaded_->each.end(),
                                    [&](const auto& form) { return compile::same(form, kind.evaluation); });
    kind.refusal = is_loaded();
    if (found != loaded_->each.end()) kind.form = static_cast<std::uint16_t>(found - loaded_->each.begin());
  }
}

// Gives each kind the number of its form.
std::vector<compile::ProbeEvaluation> PlaceCompiler::collect_forms() {
  compile::ProbeEvaluation common = kinds_.front().evaluation;
  for (const Kind& kind : kinds_) compile::take_columns(common, kind.evaluation);
  // With the room that all of them need together.
  compile::Evaluated whole = evaluate(kinds_.front().first, &common);
  if (whole.faults.empty()) common = std::move(whole.probe);
  std::vector<compile::ProbeEvaluation> forms;
  for (Kind& kind : told_apart()) {
    compile::ProbeEvaluation form = kind.evaluation;
    if (!compile::alike(common, form)) {
      compile::Evaluated again = evaluate(kind.first, &common);
      if (again.faults.empty()) form = std::move(again.probe);
    }
    if (!compile::alike(common, form)) {
      kind.refusal = of_another_type();
      continue;
    }
    const auto known =
        std::find_if(forms.begin(), forms.end(), [&](const auto& one) { return compile::same(one, form); });
    kind.form = static_cast<std::uint16_t>(known - forms.begin());
    if (known == forms.end()) forms.push_back(std::move(form));
  }
  return forms;
}

std::optional<Forms> PlaceCompiler::make_forms() {
  if (kinds_.empty()) return std::nullopt;
  Forms made;
  if (kinds_.size() > 1 && !wants_.ends_of_calls) {
    made.each = collect_forms();
    auto all = compile::choosing(made.each);
    if (all) {
      made.all = std::move(*all);
      return made;
    }
    for (Kind& kind : kinds_) kind.refusal = too_large();
    made.each.resize(1);
  } else {
    for (Kind& kind : kinds_) kind.refusal = lies_elsewhere();
    made.each = {kinds_.front().evaluation};
    kinds_.front().form = 0;
  }
  for (Kind& kind : kinds_) {
    if (kind.form && *kind.form > 0) kind.form.reset();
  }
  made.all = made.each.front();
  return made;
}

void PlaceCompiler::keep_places() {
  std::map<target::Module*, std::vector<target::Function>> kept;
  for (const Place& place : places_) {
    auto& functions = kept[place.module];
    if (!place.kind) continue;
    const Kind& kind = kinds_[*place.kind];
    if (!kind.form) {
      Error error = kind.refusal;
      error.what = "attach `" + spec_.id + "`";
      error.where = where_of(*place.module, place.code());
      errors_.push_back(std::move(error));
      continue;
    }
    const FileKey file{place.module->device, place.module->inode};
    if (*kind.form > 0) numbers_[{file, described_at(place.code())}] = *kind.form;
    functions.push_back(place.code());
  }
  for (auto& [module, functions] : kept) module->functions = std::move(functions);
}

std::optional<Forms> PlaceCompiler::settle() {
  std::optional<Forms> made;
  if (loaded_ != nullptr) {
    find_loaded();
  } else {
    made = make_forms();
  }
  keep_places();
  places_.clear();
  return made;
}

}  // namespace diagnose::app
