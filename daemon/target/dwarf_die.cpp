#include "target/dwarf_die.h"

#include <algorithm>
#include <array>

namespace diagnose::target {
namespace {

constexpr int chain_links_max = 64;  // typedefs of typedefs; a chain that is longer runs in a circle

}  // namespace

int tag_of(Dwarf_Die die) {
  return ::dwarf_tag(&die);
}

std::optional<Dwarf_Attribute> attribute(Dwarf_Die die, unsigned name) {
  Dwarf_Attribute found;
  if (::dwarf_attr_integrate(&die, name, &found) == nullptr) return std::nullopt;
  return found;
}

std::optional<Dwarf_Attribute> own_attribute(Dwarf_Die die, unsigned name) {
  Dwarf_Attribute found;
  if (::dwarf_attr(&die, name, &found) == nullptr) return std::nullopt;
  return found;
}

bool has(Dwarf_Die die, unsigned name) {
  return ::dwarf_hasattr(&die, name) != 0;
}

bool flag(Dwarf_Die die, unsigned name) {
  auto found = attribute(die, name);
  bool value = false;
  return found && ::dwarf_formflag(&*found, &value) == 0 && value;
}

std::optional<std::uint64_t> number(Dwarf_Die die, unsigned name) {
  auto found = attribute(die, name);
  Dwarf_Word value = 0;
  if (!found || ::dwarf_formudata(&*found, &value) != 0) return std::nullopt;
  return value;
}

std::optional<std::int64_t> signed_number(Dwarf_Die die, unsigned name) {
  auto found = attribute(die, name);
  Dwarf_Sword value = 0;
  if (!found || ::dwarf_formsdata(&*found, &value) != 0) return std::nullopt;
  return value;
}

std::string text(Dwarf_Die die, unsigned name) {
  auto found = attribute(die, name);
  const char* value = found ? ::dwarf_formstring(&*found) : nullptr;
  return value != nullptr ? value : "";
}

std::string name_of(Dwarf_Die die) {
  return text(die, DW_AT_name);
}

std::optional<Dwarf_Die> reference(Dwarf_Die die, unsigned name) {
  auto found = own_attribute(die, name);
  Dwarf_Die other;
  if (!found || ::dwarf_formref_die(&*found, &other) == nullptr) return std::nullopt;
  return other;
}

std::optional<Dwarf_Die> type_of(Dwarf_Die die) {
  auto found = attribute(die, DW_AT_type);
  Dwarf_Die type;
  if (!found || ::dwarf_formref_die(&*found, &type) == nullptr) return std::nullopt;
  return type;
}

std::optional<Dwarf_Die> without_typedefs(std::optional<Dwarf_Die> type) {
  for (int link = 0; type && link < chain_links_max; ++link) {
    switch (tag_of(*type)) {
      case DW_TAG_typedef:
      case DW_TAG_const_type:
      case DW_TAG_volatile_type:
      case DW_TAG_restrict_type:
      case DW_TAG_atomic_type:
      case DW_TAG_immutable_type:
        type = type_of(*type);
        break;
      default:
        return in_type_unit(*type);
    }
  }
  return std::nullopt;
}

Dwarf_Die in_type_unit(Dwarf_Die type) {
  return reference(type, DW_AT_signature).value_or(type);
}

Dwarf_Die origin_of(Dwarf_Die die) {
  for (int link = 0; link < chain_links_max; ++link) {
    auto next = reference(die, DW_AT_abstract_origin);
    if (!next) next = reference(die, DW_AT_specification);
    if (!next) break;
    die = *next;
  }
  return die;
}

bool is_record(Dwarf_Die die) {
  const int tag = tag_of(die);
  return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

std::optional<Dwarf_Die> unit_of(Dwarf_Die die) {
  Dwarf_Die unit;
  if (::dwarf_diecu(&die, &unit, nullptr, nullptr) == nullptr) return std::nullopt;
  return unit;
}

int language_of(Dwarf_Die die) {
  auto unit = source_unit_of(die);
  return unit ? std::max(::dwarf_srclang(&*unit), 0) : 0;
}

bool is_cpp(int language) {
  static constexpr std::array<int, 8> all = {
      DW_LANG_C_plus_plus,       DW_LANG_C_plus_plus_03,    DW_LANG_C_plus_plus_11,    DW_LANG_C_plus_plus_14,
      0x2b /* C_plus_plus_17 */, 0x2c /* C_plus_plus_20 */, 0x3a /* C_plus_plus_23 */, DW_LANG_ObjC_plus_plus};
  return std::find(all.begin(), all.end(), language) != all.end();
}

bool is_c(int language) {
  static constexpr std::array<int, 7> all = {DW_LANG_C89,    DW_LANG_C,      DW_LANG_C99, DW_LANG_C11,
                                             0x2d /* C17 */, 0x3e /* C23 */, DW_LANG_ObjC};
  return std::find(all.begin(), all.end(), language) != all.end();
}

std::optional<std::uint64_t> count_of(Dwarf_Die subrange) {
  constexpr std::uint64_t count_max = std::uint64_t{1} << 40U;  // no array is larger
  if (const auto count = number(subrange, DW_AT_count)) return *count <= count_max ? count : std::nullopt;
  const auto upper = signed_number(subrange, DW_AT_upper_bound);
  const std::int64_t lower = signed_number(subrange, DW_AT_lower_bound).value_or(0);
  if (!upper || *upper < lower || *upper > static_cast<std::int64_t>(count_max) || lower < -(std::int64_t{1} << 40U)) {
    if (upper && *upper == lower - 1) return 0;
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(*upper - lower) + 1;
}

std::optional<std::uint64_t> bytes_of(std::optional<Dwarf_Die> type) {
  std::uint64_t count = 1;
  for (int depth = 0; depth < chain_links_max; ++depth) {
    type = without_typedefs(type);
    if (!type) return std::nullopt;
    if (const auto bytes = number(*type, DW_AT_byte_size)) {
      std::uint64_t all = 0;
      if (__builtin_mul_overflow(*bytes, count, &all)) return std::nullopt;
      return all;
    }
    switch (tag_of(*type)) {
      case DW_TAG_pointer_type:
      case DW_TAG_reference_type:
      case DW_TAG_rvalue_reference_type:
        return 8 * count;
      case DW_TAG_ptr_to_member_type: {
        const auto to = without_typedefs(type_of(*type));
        return (to && tag_of(*to) == DW_TAG_subroutine_type ? 16U : 8U) * count;  // Itanium C++ ABI 2.3
      }
      case DW_TAG_unspecified_type:
        return name_of(*type).find("nullptr") != std::string::npos ? std::optional(8 * count) : std::nullopt;
      case DW_TAG_enumeration_type:
        type = type_of(*type);
        break;
      case DW_TAG_array_type:
        for (const Dwarf_Die child : Children(*type)) {
          if (tag_of(child) != DW_TAG_subrange_type) continue;
          const auto elements = count_of(child);
          if (!elements || __builtin_mul_overflow(count, *elements, &count)) return std::nullopt;
        }
        type = type_of(*type);
        break;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> member_offset(Dwarf_Die member, bool in_union) {
  if (flag(member, DW_AT_external) || flag(member, DW_AT_declaration)) return std::nullopt;
  if (number(member, DW_AT_virtuality).value_or(0) != 0) return std::nullopt;
  if (auto place = own_attribute(member, DW_AT_data_member_location)) {
    Dwarf_Word bytes = 0;
    if (::dwarf_formudata(&*place, &bytes) == 0) return bytes;
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    if (::dwarf_getlocation(&*place, &ops, &count) == 0 && count == 1 && ops[0].atom == DW_OP_plus_uconst) {
      return ops[0].number;
    }
    return std::nullopt;
  }
  if (const auto bits = number(member, DW_AT_data_bit_offset)) return *bits / 8;
  if (in_union || tag_of(member) == DW_TAG_inheritance) return 0;
  return has(member, DW_AT_const_value) ? std::nullopt : std::optional<std::uint64_t>(0);
}

Children::Iterator::Iterator(Dwarf_Die parent) {
  ended_ = ::dwarf_child(&parent, &die_) != 0;
}

Children::Iterator& Children::Iterator::operator++() {
  Dwarf_Die next;
  // DW_AT_sibling may point anywhere; backwards it would never end.
  ended_ = ::dwarf_siblingof(&die_, &next) != 0 || next.addr <= die_.addr;
  if (!ended_) die_ = next;
  return *this;
}

}  // namespace diagnose::target
