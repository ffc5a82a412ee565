#include "target/dwarf_names.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "target/names.h"

namespace diagnose::target {
namespace {

constexpr int depth_max = 24;

std::int64_t value_of(Dwarf_Die enumerator) {
  // Negative ones are told in a signed form, which libdw extends; the others must not be extended.
  return static_cast<std::int64_t>(number(enumerator, DW_AT_const_value).value_or(0));
}

std::optional<DwarfNames::Enumerator> enumerator_in(Dwarf_Die enumeration, std::string_view name) {
  for (const Dwarf_Die child : Children(enumeration)) {
    if (tag_of(child) == DW_TAG_enumerator && name_of(child) == name) {
      return DwarfNames::Enumerator{enumeration, value_of(child)};
    }
  }
  return std::nullopt;
}

// "a::b<x::y>::c" -> "a::b<x::y>" and "c"; an empty first part if there is but one.
std::pair<std::string_view, std::string_view> split_last(std::string_view name) {
  int nesting = 0;
  for (std::size_t at = name.size(); at > 1; --at) {
    const char c = name[at - 1];
    if (c == '>' || c == ')') ++nesting;
    if (c == '<' || c == '(') --nesting;
    if (nesting == 0 && c == ':' && name[at - 2] == ':') return {name.substr(0, at - 2), name.substr(at)};
  }
  return {{}, name};
}

std::string_view without_keyword(std::string_view name) {
  static constexpr std::array<std::string_view, 4> keywords = {"struct ", "class ", "union ", "enum "};
  for (const std::string_view keyword : keywords) {
    if (name.starts_with(keyword)) return name.substr(keyword.size());
  }
  return name;
}

// The names under which C's base types stand in debug information.
std::string_view spelled(std::string_view name) {
  static constexpr auto others =
      std::to_array<std::pair<std::string_view, std::string_view>>({{"unsigned", "unsigned int"},
                                                                    {"long", "long int"},
                                                                    {"unsigned long", "long unsigned int"},
                                                                    {"short", "short int"},
                                                                    {"unsigned short", "short unsigned int"},
                                                                    {"long long", "long long int"},
                                                                    {"unsigned long long", "long long unsigned int"}});
  for (const auto& [written, stands] : others) {
    if (name == written) return stands;
  }
  return {};
}

}  // namespace

void DwarfNames::stand_at(Dwarf_Die die, std::string_view function) {
  unit_ = source_unit_of(die);
  const auto code = unit_of(die);
  linked_together_ = unit_ && code && identity(*unit_) != identity(*code);
  scopes_.clear();
  std::string_view rest = function;
  if (language_of(die) == language_go) {  // "net/http.(*Server).Serve": the package's names begin with "net/http."
    const auto slash = rest.rfind('/');
    const auto dot = rest.find('.', slash == std::string_view::npos ? 0 : slash);
    if (dot != std::string_view::npos) scopes_.emplace_back(rest.substr(0, dot + 1));
  }
  for (int depth = 0; depth < depth_max && !rest.empty(); ++depth) {
    rest = split_last(rest).first;
    if (!rest.empty()) scopes_.push_back(std::string(rest) + "::");
  }
  scopes_.emplace_back();
}

std::vector<std::string> DwarfNames::candidates(std::string_view name) const {
  std::vector<std::string> all;
  if (name.starts_with("::")) return {std::string(name.substr(2))};
  for (const std::string& scope : scopes_) all.push_back(scope + std::string(name));
  if (all.empty()) all.emplace_back(name);
  return all;
}

// FNV-1a.
std::uint64_t DwarfNames::hash(Kind kind, std::string_view qualified) {
  std::uint64_t sum = 0xcbf29ce484222325U ^ static_cast<std::uint64_t>(kind);
  for (const char c : qualified) {
    if (c == ' ') continue;
    sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return sum;
}

const std::vector<DwarfNames::Named>& DwarfNames::names_of(const Dwarf_Die& unit) {
  const auto [at, fresh] = names_.try_emplace(identity(unit));
  if (fresh) {
    collect(unit, "", 0, at->second);
    std::stable_sort(at->second.begin(), at->second.end(),
                     [](const Named& a, const Named& b) { return a.hash < b.hash; });
  }
  return at->second;
}

// A definition may stand outside of the scope that declares it, and what it is an instance of in another unit.
std::string DwarfNames::full_name(Dwarf_Die die, const std::string& scope) const {
  const bool elsewhere = has(die, DW_AT_specification) || has(die, DW_AT_abstract_origin);
  return elsewhere ? units_.qualified_name(die) : scope + name_of(die);
}

void DwarfNames::collect(Dwarf_Die parent, const std::string& scope, int depth, std::vector<Named>& names) {
  for (const Dwarf_Die child : Children(parent)) {
    if (++looks_ > limits::debug_entries || depth > depth_max) return;
    switch (tag_of(child)) {
      case DW_TAG_namespace:
      case DW_TAG_module: {
        const std::string own = name_of(child);
        if (own.empty()) {
          collect(child, scope, depth + 1, names);
        } else {
          collect(child, scope + own + "::", depth + 1, names);
          // What an inline namespace holds stands in the outer one too.
          if (has(child, DW_AT_export_symbols)) collect(child, scope, depth + 1, names);
        }
        break;
      }
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
      case DW_TAG_typedef:
      case DW_TAG_base_type:
        if (!has(child, DW_AT_declaration)) names.push_back({hash(Kind::type, full_name(child, scope)), child});
        break;
      case DW_TAG_enumeration_type: {
        const std::string own = name_of(child);
        if (has(child, DW_AT_declaration)) break;
        if (!own.empty()) names.push_back({hash(Kind::type, scope + own), child});
        collect_enumerators(child, scope, own, names);
        break;
      }
      case DW_TAG_variable:
        if (has(child, DW_AT_location) || has(child, DW_AT_const_value)) {
          names.push_back({hash(Kind::variable, full_name(child, scope)), child});
        }
        break;
      default:
        break;
    }
  }
}

void DwarfNames::collect_enumerators(Dwarf_Die enumeration, const std::string& scope, const std::string& own,
                                     std::vector<Named>& names) {
  const bool scoped = flag(enumeration, DW_AT_enum_class);
  std::size_t count = 0;
  for (const Dwarf_Die child : Children(enumeration)) {
    if (tag_of(child) != DW_TAG_enumerator || ++count > limits::debug_members) continue;
    const std::string name = name_of(child);
    if (!own.empty()) names.push_back({hash(Kind::enumeration, scope + own + "::" + name), enumeration});
    if (!scoped) names.push_back({hash(Kind::enumeration, scope + name), enumeration});
  }
}

DwarfNames::Found DwarfNames::find(Kind kind, std::string_view qualified) {
  const std::uint64_t wanted = hash(kind, qualified);
  if (unit_) {
    if (const auto found = find_in(*unit_, wanted)) return found;
  }
  const auto [known, fresh] = known_.try_emplace(wanted);
  if (!fresh) return known->second;
  // A static variable of the unit may stand behind another's of the same name.
  const bool look_on = linked_together_ && kind == Kind::variable;
  for (const Dwarf_Die& unit : units_.all()) {
    if (looks_ > limits::debug_entries) break;
    const auto found = find_in(unit, wanted);
    if (found && (!known->second || is_of_unit(*found))) known->second = found;
    if (known->second && (!look_on || is_of_unit(*known->second))) break;
  }
  return known->second;
}

// Of several of that name the one whose source is in the unit where this stands.
DwarfNames::Found DwarfNames::find_in(const Dwarf_Die& unit, std::uint64_t wanted) {
  const auto& names = names_of(unit);
  auto at = std::lower_bound(names.begin(), names.end(), wanted,
                             [](const Named& named, std::uint64_t sum) { return named.hash < sum; });
  Found found;
  for (; at != names.end() && at->hash == wanted; ++at) {
    if (!found || is_of_unit(at->die)) found = at->die;
    if (!linked_together_ || is_of_unit(*found)) break;
  }
  return found;
}

bool DwarfNames::is_of_unit(const Dwarf_Die& die) const {
  const auto unit = source_unit_of(die);
  return unit && unit_ && identity(*unit) == identity(*unit_);
}

DwarfNames::Found DwarfNames::find_type(std::string_view qualified, int depth) {
  if (auto found = find(Kind::type, qualified)) return found;
  const auto [outer, inner] = split_last(qualified);
  if (outer.empty() || depth > depth_max) return std::nullopt;
  const auto around = without_typedefs(find_type(outer, depth + 1));
  if (!around || !is_record(*around)) return std::nullopt;
  for (const Dwarf_Die child : Children(*around)) {
    const Dwarf_Die type = in_type_unit(child);
    const int tag = tag_of(type);
    const bool is_type = is_record(type) || tag == DW_TAG_typedef || tag == DW_TAG_enumeration_type;
    if (is_type && !has(type, DW_AT_declaration) && name_of(type) == inner) return type;
  }
  return std::nullopt;
}

std::optional<Dwarf_Die> DwarfNames::definition(std::string_view qualified) {
  return find_type(qualified, 0);
}

std::optional<Dwarf_Die> DwarfNames::type(std::string_view written) {
  const std::string_view name = without_keyword(written);
  for (const std::string& candidate : candidates(name)) {
    if (auto found = find_type(candidate, 0)) return found;
  }
  const std::string_view other = spelled(name);
  return other.empty() ? std::nullopt : find(Kind::type, other);
}

std::optional<Dwarf_Die> DwarfNames::variable(std::string_view name) {
  for (const std::string& candidate : candidates(name)) {
    if (auto found = find(Kind::variable, candidate)) return found;
  }
  return std::nullopt;
}

std::optional<DwarfNames::Enumerator> DwarfNames::enumerator(std::string_view name) {
  for (const std::string& candidate : candidates(name)) {
    const auto [outer, own] = split_last(candidate);
    if (const auto found = find(Kind::enumeration, candidate)) return enumerator_in(*found, own);
    // Enumerations within classes.
    const auto around = outer.empty() ? std::nullopt : find_type(outer, 0);
    if (!around) continue;
    const auto plain = without_typedefs(around);
    if (plain && tag_of(*plain) == DW_TAG_enumeration_type) {
      if (auto found = enumerator_in(*plain, own)) return found;
    }
    if (!plain || !is_record(*plain)) continue;
    for (const Dwarf_Die child : Children(*plain)) {
      const Dwarf_Die type = in_type_unit(child);
      if (tag_of(type) != DW_TAG_enumeration_type || flag(type, DW_AT_enum_class)) continue;
      if (auto found = enumerator_in(type, own)) return found;
    }
  }
  return std::nullopt;
}

}  // namespace diagnose::target
