#include "target/dwarf_types.h"

#include <algorithm>

#include "base/limits.h"

namespace diagnose::target {
namespace {

constexpr int nesting_max = 64;  // pointers to pointers, members in members; deeper ones are not told

std::vector<std::optional<std::uint64_t>> dimensions_of(Dwarf_Die array) {
  std::vector<std::optional<std::uint64_t>> counts;
  for (const Dwarf_Die child : Children(array)) {
    if (tag_of(child) == DW_TAG_subrange_type && counts.size() < nesting_max) counts.push_back(count_of(child));
  }
  if (counts.empty()) counts.emplace_back(std::nullopt);
  return counts;
}

bool is_qualifier(int tag) {
  return tag == DW_TAG_const_type || tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
         tag == DW_TAG_atomic_type || tag == DW_TAG_immutable_type;
}

void tell_base_type(DebugType& type, Dwarf_Die die) {
  type.kind = DebugType::Kind::integer;
  switch (number(die, DW_AT_encoding).value_or(0)) {
    case DW_ATE_boolean:
      type.kind = DebugType::Kind::boolean;
      break;
    case DW_ATE_float:
    case DW_ATE_complex_float:
    case DW_ATE_imaginary_float:
    case DW_ATE_decimal_float:
      type.kind = DebugType::Kind::floating;
      break;
    case DW_ATE_signed:
      type.is_signed = true;
      break;
    case DW_ATE_signed_char:
      type.is_signed = true;
      type.is_character = type.bytes == 1;
      break;
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF:
      type.is_character = type.bytes == 1;
      break;
    default:
      break;
  }
  // Rust's u8 and i8, Go's byte: told as numbers, which they are.
  if (type.bytes == 0) type.kind = DebugType::Kind::nothing;
}

const char* keyword_of(Dwarf_Die record) {
  switch (tag_of(record)) {
    case DW_TAG_union_type:
      return "union";
    case DW_TAG_enumeration_type:
      return "enum";
    case DW_TAG_class_type:
      return "class";
    default:
      return "struct";
  }
}

}  // namespace

DwarfTypes::DwarfTypes(DwarfUnits& units, DwarfNames& names, const std::vector<std::string>& members,
                       std::vector<DebugType>& types)
    : units_(units), names_(names), wanted_(members.begin(), members.end()), types_(types) {
  types_.assign(1, DebugType{});
  expanded_.assign(1, true);
}

TypeId DwarfTypes::add_made(DebugType type) {
  if (types_.size() >= limits::debug_types) return no_type;
  types_.push_back(std::move(type));
  expanded_.push_back(true);
  return static_cast<TypeId>(types_.size() - 1);
}

Dwarf_Die DwarfTypes::defined(Dwarf_Die type) {
  type = in_type_unit(type);
  if (!has(type, DW_AT_declaration)) return type;
  const std::string name = units_.qualified_name(type);
  if (name.empty()) return type;
  const auto definition = names_.definition(name);
  const auto plain = without_typedefs(definition);
  const bool fits = plain && is_record(*plain) == is_record(type);
  return fits ? *plain : type;
}

TypeId DwarfTypes::add(std::optional<Dwarf_Die> written, bool expand, int depth) {
  const auto plain = without_typedefs(written);
  if (!plain || depth > nesting_max) return no_type;
  if (tag_of(*plain) == DW_TAG_array_type) {
    return add_dimension(*written, *plain, dimensions_of(*plain), 0, expand, depth);
  }
  const auto [at, fresh] = ids_.try_emplace({identity(*written), 0}, no_type);
  if (fresh) {
    if (types_.size() >= limits::debug_types) return no_type;
    at->second = add_made({});
    types_[at->second].name = name(written);
    expanded_[at->second] = false;
    tell(at->second, *plain);
  }
  const TypeId id = at->second;
  if (expand && id != no_type && !expanded_[id]) {
    expanded_[id] = true;
    this->expand(id, *plain, depth);
  }
  return id;
}

// Arrays of arrays, of which the debug information makes one entry.
TypeId DwarfTypes::add_dimension(Dwarf_Die written, Dwarf_Die array,
                                 const std::vector<std::optional<std::uint64_t>>& counts, std::size_t dimension,
                                 bool expand, int depth) {
  const auto [at, fresh] = ids_.try_emplace({identity(written), dimension}, no_type);
  if (fresh) {
    if (types_.size() >= limits::debug_types) return no_type;
    at->second = add_made({});
    expanded_[at->second] = false;
  }
  const TypeId id = at->second;
  if (id == no_type || (!fresh && (!expand || expanded_[id]))) return id;
  expanded_[id] = expand;
  const bool last = dimension + 1 == counts.size();
  const TypeId target = last ? add(type_of(array), expand, depth + 1)
                             : add_dimension(written, array, counts, dimension + 1, expand, depth + 1);
  DebugType type;
  type.kind = DebugType::Kind::array;
  type.target = target;
  type.count = counts[dimension].value_or(0);
  if (__builtin_mul_overflow(type.count, types_[target].bytes, &type.bytes)) type.bytes = 0;
  if (dimension == 0) {
    type.name = name(written);
  } else {
    type.name = name(type_of(array));
    for (std::size_t rest = dimension; rest < counts.size(); ++rest) {
      type.name += "[" + (counts[rest] ? std::to_string(*counts[rest]) : "") + "]";
    }
  }
  types_[id] = std::move(type);
  return id;
}

// What costs nothing to say.
void DwarfTypes::tell(TypeId id, Dwarf_Die plain) {
  DebugType& type = types_[id];
  type.bytes = bytes_of(plain).value_or(0);
  switch (tag_of(plain)) {
    case DW_TAG_base_type:
      tell_base_type(type, plain);
      break;
    case DW_TAG_pointer_type:
    case DW_TAG_unspecified_type:
      type.kind = type.bytes == 8 ? DebugType::Kind::pointer : DebugType::Kind::nothing;
      break;
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
      type.kind = DebugType::Kind::reference;
      break;
    case DW_TAG_ptr_to_member_type:
      type.kind = type.bytes == 8 ? DebugType::Kind::integer : DebugType::Kind::nothing;
      break;
    case DW_TAG_enumeration_type: {
      type.kind = DebugType::Kind::enumeration;
      type.expanded = false;
      const auto base = without_typedefs(type_of(plain));
      if (base && tag_of(*base) == DW_TAG_base_type) {
        const auto encoding = number(*base, DW_AT_encoding).value_or(0);
        type.is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
      }
      break;
    }
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
      type.kind = DebugType::Kind::record;
      type.expanded = false;
      break;
    default:
      type.kind = DebugType::Kind::nothing;
      break;
  }
}

void DwarfTypes::expand(TypeId id, Dwarf_Die plain, int depth) {
  switch (tag_of(plain)) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type: {
      const TypeId target = add(type_of(plain), true, depth + 1);
      types_[id].target = target;
      break;
    }
    case DW_TAG_enumeration_type:
      expand_enumeration(id, defined(plain));
      break;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
      expand_record(id, defined(plain), depth);
      break;
    default:
      break;
  }
}

void DwarfTypes::expand_enumeration(TypeId id, Dwarf_Die enumeration) {
  std::vector<DebugType::Enumerator> all;
  bool negative = false;
  for (const Dwarf_Die child : Children(enumeration)) {
    if (tag_of(child) != DW_TAG_enumerator || all.size() >= limits::debug_members) continue;
    const auto value = static_cast<std::int64_t>(number(child, DW_AT_const_value).value_or(0));
    negative = negative || value < 0;
    all.push_back({name_of(child), value});
  }
  DebugType& type = types_[id];
  type.enumerators = std::move(all);
  type.expanded = true;
  if (type.bytes == 0) type.bytes = bytes_of(enumeration).value_or(4);
  // Without an underlying type, as C has it, the compiler takes a signed one if it must.
  if (!type_of(enumeration)) type.is_signed = negative;
}

void DwarfTypes::expand_record(TypeId id, Dwarf_Die record, int depth) {
  if (auto plain = plain_type(record, units_.qualified_name(record))) {
    const TypeId target = add(plain->target, true, depth + 1);
    DebugType& type = types_[id];
    type.kind = plain->kind;
    type.layout = plain->layout;
    type.target = target;
    type.count = plain->count;
    if (type.bytes == 0) type.bytes = plain->bytes != 0 ? plain->bytes : bytes_of(record).value_or(0);
    type.expanded = true;
    return;
  }
  if (types_[id].bytes == 0) types_[id].bytes = bytes_of(record).value_or(0);
  if (has(record, DW_AT_declaration)) return;
  const bool is_union = tag_of(record) == DW_TAG_union_type;
  std::vector<DebugType::Member> bases;
  std::vector<DebugType::Member> members;
  for (const Dwarf_Die child : Children(record)) {
    if (bases.size() + members.size() >= limits::debug_members) break;
    const int tag = tag_of(child);
    if (tag == DW_TAG_variant_part) add_variants(members, child, depth);
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
    DebugType::Member member;
    member.is_base = tag == DW_TAG_inheritance;
    member.is_virtual = member.is_base && number(child, DW_AT_virtuality).value_or(0) != 0;
    if (!member.is_virtual && !member_offset(child, is_union)) continue;
    add_member(member, child, is_union, depth);
    (member.is_base ? bases : members).push_back(std::move(member));
  }
  members.insert(members.end(), std::make_move_iterator(bases.begin()), std::make_move_iterator(bases.end()));
  types_[id].members = std::move(members);
  types_[id].is_interface = is_go_interface(record);
  types_[id].expanded = true;
}

void DwarfTypes::add_member(DebugType::Member& member, Dwarf_Die die, bool in_union, int depth) {
  member.name = member.is_base ? std::string() : name_of(die);
  member.offset = member_offset(die, in_union).value_or(0);
  const bool wanted = member.name.empty() || wanted_.contains(member.name);
  member.type = add(type_of(die), wanted, depth + 1);
  const auto bits = number(die, DW_AT_bit_size);
  if (!bits || *bits == 0 || *bits > 64) return;
  member.bits = static_cast<std::uint8_t>(*bits);
  std::uint64_t lowest = 0;  // counted from the record's first byte
  if (const auto told = number(die, DW_AT_data_bit_offset)) {
    lowest = *told;
  } else {
    // The older form counts from the highest bit of a storage unit (DWARF 4, 5.5.6).
    const auto own = number(die, DW_AT_byte_size);
    const std::uint64_t unit = 8 * (own ? *own : types_[member.type].bytes);
    const std::uint64_t from_top = number(die, DW_AT_bit_offset).value_or(0);
    if (from_top + *bits > unit) return;
    lowest = member.offset * 8 + unit - from_top - *bits;
  }
  member.offset = lowest / 8;
  member.bit_offset = static_cast<std::uint16_t>(lowest % 8);
}

// A Rust enum with data: the fields of each variant under the variant's name.
void DwarfTypes::add_variants(std::vector<DebugType::Member>& members, Dwarf_Die part, int depth) {
  for (const Dwarf_Die variant : Children(part)) {
    if (tag_of(variant) != DW_TAG_variant) continue;
    for (const Dwarf_Die child : Children(variant)) {
      if (tag_of(child) != DW_TAG_member || members.size() >= limits::debug_members) continue;
      DebugType::Member member;
      add_member(member, child, false, depth);
      members.push_back(std::move(member));
    }
  }
}

std::string DwarfTypes::name(std::optional<Dwarf_Die> type, int depth) {
  if (!type) return "void";
  if (depth > nesting_max) return "?";
  const int tag = tag_of(*type);
  const auto inner = [&] { return name(type_of(*type), depth + 1); };
  const auto behind = [&](const char* sign) {
    std::string target = inner();
    // A pointer to a function: "int (*)(char)".
    if (const auto at = target.find(" ("); at != std::string::npos && target.ends_with(')') && target[at + 2] != '*') {
      return target.substr(0, at) + " (" + sign + ")" + target.substr(at + 1);
    }
    return target + sign;
  };
  if (is_qualifier(tag)) {
    const char* word = tag == DW_TAG_const_type      ? "const"
                       : tag == DW_TAG_volatile_type ? "volatile"
                       : tag == DW_TAG_atomic_type   ? "_Atomic"
                                                     : "";
    const auto to = type_of(*type);
    const std::string target = inner();
    if (*word == '\0') return target;
    const bool is_pointer = to && tag_of(*to) == DW_TAG_pointer_type;
    return is_pointer ? target + " " + word : std::string(word) + " " + target;
  }
  switch (tag) {
    case DW_TAG_pointer_type: {
      std::string own = name_of(*type);  // Rust and Go name their pointers
      return own.empty() ? behind("*") : own;
    }
    case DW_TAG_reference_type:
      return behind("&");
    case DW_TAG_rvalue_reference_type:
      return behind("&&");
    case DW_TAG_array_type: {
      if (std::string own = name_of(*type); !own.empty()) return own;
      std::string target = inner();
      for (const auto& count : dimensions_of(*type)) target += "[" + (count ? std::to_string(*count) : "") + "]";
      return target;
    }
    case DW_TAG_subroutine_type: {
      std::string parameters;
      for (const Dwarf_Die child : Children(*type)) {
        if (tag_of(child) != DW_TAG_formal_parameter) continue;
        parameters += (parameters.empty() ? "" : ", ") + name(type_of(child), depth + 1);
      }
      return inner() + " (" + parameters + ")";
    }
    case DW_TAG_ptr_to_member_type: {
      auto around = reference(*type, DW_AT_containing_type);
      return inner() + " " + (around ? units_.qualified_name(*around) : "?") + "::*";
    }
    default:
      break;
  }
  const bool is_tagged = is_record(*type) || tag == DW_TAG_enumeration_type;
  if (is_tagged) type = in_type_unit(*type);
  std::string own = units_.qualified_name(*type);
  if (!is_tagged) return own;
  if (own.empty()) return std::string(keyword_of(*type)) + " {...}";
  return is_c(language_of(*type)) ? std::string(keyword_of(*type)) + " " + own : own;
}

}  // namespace diagnose::target
