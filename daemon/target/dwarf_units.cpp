#include "target/dwarf_units.h"

#include <algorithm>

#include "base/limits.h"

namespace diagnose::target {
namespace {

constexpr int scope_depth_max = 24;  // namespaces, classes and blocks in each other

// The linker leaves the code of dropped sections at 0, or at the highest addresses (DWARF 5, 7.5.4, "tombstones").
bool is_dropped(std::uint64_t low, std::uint64_t high) {
  return low == 0 || low >= high || low >= UINT64_MAX - 1;
}

// Whose name stands in front of those of the entries in it.
bool is_scope(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
         tag == DW_TAG_union_type;
}

// What is named with its scopes.
bool has_scope(int tag) {
  return is_scope(tag) || tag == DW_TAG_enumeration_type || tag == DW_TAG_typedef || tag == DW_TAG_subprogram ||
         tag == DW_TAG_variable;
}

}  // namespace

std::vector<Range> ranges_of(Dwarf_Die die) {
  constexpr std::size_t ranges_max = 100'000;
  std::vector<Range> found;
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  std::ptrdiff_t at = 0;
  while (found.size() < ranges_max && (at = ::dwarf_ranges(&die, at, &base, &low, &high)) > 0) {
    if (!is_dropped(low, high)) found.push_back({LinkAddress{low}, LinkAddress{high}});
  }
  return found;
}

void Stretches::sort() {
  std::sort(all_.begin(), all_.end(), [](const One& a, const One& b) { return a.low < b.low; });
  std::uint64_t highest = 0;
  for (One& one : all_) one.highest = highest = std::max(highest, one.high);
}

std::vector<std::size_t> Stretches::at(std::uint64_t address) const {
  std::vector<std::size_t> found;
  auto one = std::upper_bound(all_.begin(), all_.end(), address,
                              [](std::uint64_t wanted, const One& other) { return wanted < other.low; });
  while (one != all_.begin() && std::prev(one)->highest > address) {
    --one;
    if (one->high > address) found.push_back(one->number);
  }
  return found;
}

const std::vector<Dwarf_Die>& DwarfUnits::all() {
  read_units();
  return all_;
}

void DwarfUnits::read_units() {
  if (std::exchange(read_, true)) return;
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  Dwarf_Die split;
  std::uint8_t type = 0;
  while (all_.size() < limits::debug_units &&
         ::dwarf_get_units(dwarf_, unit, &unit, nullptr, &type, &die, &split) == 0) {
    const bool is_split = type == DW_UT_skeleton;
    if (is_split && split.addr == nullptr) continue;  // its other half is missing: the skeleton knows no function whole
    all_.push_back(is_split ? split : die);
    if (type == DW_UT_type || type == DW_UT_split_type) continue;
    for (const Range& range : ranges_of(die)) covered_.add(raw(range.low), raw(range.high), all_.size() - 1);
  }
  covered_.sort();
}

const DwarfFunction* DwarfUnits::function_at(LinkAddress address) {
  read_units();
  const DwarfFunction* best = nullptr;
  for (const std::size_t unit : covered_.at(raw(address))) {
    const Functions& functions = functions_of(unit);
    for (const std::size_t at : functions.stretches.at(raw(address))) {
      const DwarfFunction& function = functions.all[at];
      if (function.entry == address) return &function;
      if (best == nullptr) best = &function;
    }
  }
  return best;
}

const DwarfUnits::Functions& DwarfUnits::functions_of(std::size_t unit) {
  const auto [at, fresh] = functions_.try_emplace(unit);
  Functions& functions = at->second;
  if (fresh) {
    std::size_t looks = 0;
    find_functions(all_[unit], 0, functions.all, looks);
    looks_ += looks;
    for (std::size_t i = 0; i < functions.all.size(); ++i) {
      for (const Range& range : functions.all[i].ranges) functions.stretches.add(raw(range.low), raw(range.high), i);
    }
    functions.stretches.sort();
  }
  return functions;
}

void DwarfUnits::find_functions(Dwarf_Die parent, int depth, std::vector<DwarfFunction>& found,
                                std::size_t& looks) const {
  for (const Dwarf_Die child : Children(parent)) {
    if (++looks > limits::debug_entries) return;
    const int tag = tag_of(child);
    const bool is_scope = tag == DW_TAG_namespace || tag == DW_TAG_module || is_record(child);
    if (tag == DW_TAG_subprogram) {
      DwarfFunction function{.die = child, .entry = {}, .ranges = ranges_of(child)};
      if (function.ranges.empty()) continue;
      Dwarf_Addr entry = 0;
      Dwarf_Die copy = child;
      const bool told = ::dwarf_entrypc(&copy, &entry) == 0 && entry != 0;
      function.entry = told ? LinkAddress{entry} : function.ranges.front().low;
      found.push_back(std::move(function));
    } else if (is_scope && depth < scope_depth_max) {
      find_functions(child, depth + 1, found, looks);
    }
  }
}

const std::vector<Dwarf_Die>& DwarfUnits::children_of(Dwarf_Die parent) {
  const auto [at, fresh] = children_.try_emplace(identity(parent));
  if (!fresh) return at->second;
  for (const Dwarf_Die child : Children(parent)) {
    if (++children_looks_ > limits::debug_entries) break;
    at->second.push_back(child);
  }
  return at->second;
}

// From the unit down, only through what the entry stands in: its bytes lie behind those of the child that holds it, and
// before those of the next.  In their order, unless the file lies; then a scope is missed.
std::string DwarfUnits::qualified_name(Dwarf_Die die) {
  die = origin_of(die);
  std::string name = name_of(die);
  if (name.empty() || !has_scope(tag_of(die))) return name;
  std::string around;
  Dwarf_Die parent = unit_of(die).value_or(die);
  for (int depth = 0; depth < scope_depth_max; ++depth) {
    const auto& children = children_of(parent);
    const auto behind = std::upper_bound(children.begin(), children.end(), identity(die),
                                         [](const void* a, const Dwarf_Die& b) { return a < b.addr; });
    if (behind == children.begin()) break;
    parent = *std::prev(behind);
    if (identity(parent) == identity(die)) return around + name;
    if (!is_scope(tag_of(parent))) continue;
    if (const std::string outer = name_of(parent); !outer.empty()) around += outer + "::";
  }
  return name;
}

void DwarfUnits::count_copies(Dwarf_Die parent, int depth, Copies& found, std::size_t& looks) const {
  for (const Dwarf_Die child : Children(parent)) {
    if (++looks > limits::debug_entries) return;
    const int tag = tag_of(child);
    if (tag == DW_TAG_inlined_subroutine) {
      if (const auto origin = reference(child, DW_AT_abstract_origin)) ++found[identity(origin_of(*origin))];
    } else if (tag != DW_TAG_subprogram && tag != DW_TAG_lexical_block && !is_scope(tag)) {
      continue;
    }
    Dwarf_Die copy = child;
    if (depth<scope_depth_max&& ::dwarf_haschildren(&copy)> 0) count_copies(child, depth + 1, found, looks);
  }
}

// What is inlined somewhere has an abstract instance, of which its own code is an instance too (DWARF 5, 3.3.8).
std::uint32_t DwarfUnits::inlined_copies(Dwarf_Die function) {
  if (!has(function, DW_AT_abstract_origin)) return 0;
  const Dwarf_Die unit = unit_of(function).value_or(function);
  const auto [at, fresh] = copies_.try_emplace(identity(unit));
  if (fresh) {
    std::size_t looks = 0;
    count_copies(unit, 0, at->second, looks);
  }
  const auto found = at->second.find(identity(origin_of(function)));
  return found == at->second.end() ? 0 : found->second;
}

}  // namespace diagnose::target
