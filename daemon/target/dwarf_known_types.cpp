// Library types made plain.  Where their parts are is read from the debug information, by the names that libstdc++,
// libc++, Rust's alloc and Go's runtime give to their fields; only what a type is, its own name tells.
#include <algorithm>
#include <array>
#include <string_view>

#include "target/dwarf_types.h"

namespace diagnose::target {
namespace {

constexpr int depth_max = 8;  // records in records until the field stands there
constexpr std::size_t looks_max = 2000;

struct Field {
  std::uint64_t offset = 0;
  Dwarf_Die type{};  // without typedefs
};
using FoundField = std::optional<Field>;

// The field of one of `names`, however deep in members and bases it lies.
class FieldSearch {
 public:
  template <typename Fits>
  FoundField run(Dwarf_Die record, Fits fits, int depth = 0) {
    const bool is_union = tag_of(record) == DW_TAG_union_type;
    std::vector<Field> inner;
    for (const Dwarf_Die child : Children(record)) {
      const int tag = tag_of(child);
      if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || ++looks_ > looks_max) continue;
      const auto offset = member_offset(child, is_union);
      const auto type = without_typedefs(type_of(child));
      if (!offset || !type) continue;
      if (fits(child, *type)) return Field{*offset, *type};
      if (is_record(*type)) inner.push_back({*offset, *type});
    }
    if (depth >= depth_max) return std::nullopt;
    for (const Field& part : inner) {
      if (auto found = run(part.type, fits, depth + 1)) return Field{part.offset + found->offset, found->type};
    }
    return std::nullopt;
  }

 private:
  std::size_t looks_ = 0;
};

FoundField field(Dwarf_Die record, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    auto found = FieldSearch().run(record, [&](Dwarf_Die member, Dwarf_Die) { return name_of(member) == name; });
    if (found) return found;
  }
  return std::nullopt;
}

// A member of the record itself.
FoundField own_field(Dwarf_Die record, std::string_view name) {
  return FieldSearch().run(
      record, [&](Dwarf_Die member, Dwarf_Die) { return name_of(member) == name; }, depth_max);
}

bool is_pointer(Dwarf_Die type) {
  return tag_of(type) == DW_TAG_pointer_type;
}

FoundField pointer_field(Dwarf_Die record, std::initializer_list<std::string_view> names) {
  auto found = field(record, names);
  return found && is_pointer(found->type) ? found : std::nullopt;
}

FoundField first_pointer(Dwarf_Die record) {
  return FieldSearch().run(record, [](Dwarf_Die, Dwarf_Die type) { return is_pointer(type); });
}

std::optional<Dwarf_Die> template_type(Dwarf_Die record, std::size_t place) {
  for (const Dwarf_Die child : Children(record)) {
    if (tag_of(child) == DW_TAG_template_type_parameter && place-- == 0) return type_of(child);
  }
  return std::nullopt;
}

std::uint32_t narrow(std::uint64_t offset) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(offset, UINT32_MAX));
}

PlainType counted(DebugType::Kind kind, const Field& pointer, const Field& size) {
  PlainType plain{.kind = kind, .layout = {}, .target = type_of(pointer.type)};
  plain.layout.data_offset = narrow(pointer.offset);
  plain.layout.size_offset = narrow(size.offset);
  return plain;
}

// "std::__cxx11::basic_string<char, ...>" -> "basic_string" if it is in namespace std, whatever inline ones lie
// between.
std::string_view standard_name(std::string_view name) {
  if (!name.starts_with("std::")) return {};
  name.remove_prefix(5);
  for (const std::string_view inlined : {"__cxx11::", "__1::", "__ndk1::", "__debug::", "__8::"}) {
    if (name.starts_with(inlined)) name.remove_prefix(inlined.size());
  }
  const std::string_view plain = name.substr(0, name.find('<'));
  return plain.find("::") == std::string_view::npos ? plain : std::string_view();
}

bool has_narrow_characters(std::string_view name) {
  const auto at = name.find('<');
  if (at == std::string_view::npos) return false;
  const std::string_view first = name.substr(at + 1, name.find_first_of(",>", at) - at - 1);
  return first == "char" || first == "char8_t" || first == "unsigned char" || first == "signed char";
}

// libc++ keeps short texts in the object itself, in two forms of which one bit tells (its <string>, "__rep").
std::optional<PlainType> short_string(Dwarf_Die record) {
  const auto kept_long = field(record, {"__l"});
  const auto kept_short = field(record, {"__s"});
  if (!kept_long || !kept_short || !is_record(kept_long->type) || !is_record(kept_short->type)) return std::nullopt;
  const auto data = pointer_field(kept_long->type, {"__data_"});
  const auto size = field(kept_long->type, {"__size_"});
  const auto text = field(kept_short->type, {"__data_"});
  if (!data || !size || !text) return std::nullopt;
  PlainType plain = counted(DebugType::Kind::text, {kept_long->offset + data->offset, data->type},
                            {kept_long->offset + size->offset, size->type});
  const bool data_first = data->offset == 0;  // the alternate layout: the flag is the highest bit of the last byte
  plain.layout.has_short = true;
  plain.layout.short_if_clear = true;
  plain.layout.short_mask = data_first ? 0x80 : 0x01;
  plain.layout.short_shift = data_first ? 0 : 1;
  const auto bytes = bytes_of(record).value_or(24);
  plain.layout.short_at = narrow(kept_short->offset + (data_first ? bytes - 1 : 0));
  plain.layout.short_data_offset = narrow(kept_short->offset + text->offset);
  return plain;
}

// Clang leaves the inside of std::string to the library's own debug information.  Its layout is the library's ABI:
// libstdc++'s since GCC 5, <bits/basic_string.h>.
std::optional<PlainType> declared_string(std::string_view name) {
  if (!name.starts_with("std::__cxx11::basic_string<char,")) return std::nullopt;
  PlainType plain{.kind = DebugType::Kind::text, .layout = {}, .target = std::nullopt};
  plain.layout.size_offset = 8;
  plain.bytes = 32;
  return plain;
}

std::optional<PlainType> text_type(Dwarf_Die record, std::string_view name) {
  if (!has_narrow_characters(name)) return std::nullopt;
  if (has(record, DW_AT_declaration)) return declared_string(name);
  const auto data = pointer_field(record, {"_M_p"});
  const auto size = field(record, {"_M_string_length"});
  if (data && size) return counted(DebugType::Kind::text, *data, *size);
  return short_string(record);
}

std::optional<PlainType> optional_type(Dwarf_Die record) {
  const auto engaged = field(record, {"_M_engaged", "__engaged_"});
  const auto value = field(record, {"_M_value", "__val_"});
  if (!engaged || !value) return std::nullopt;
  PlainType plain{.kind = DebugType::Kind::optional, .layout = {}, .target = value->type};
  if (const auto told = template_type(record, 0)) plain.target = told;
  plain.layout.data_offset = narrow(value->offset);
  plain.layout.size_offset = narrow(engaged->offset);
  return plain;
}

// A pointer beside a deleter that takes room: libstdc++'s tuples number their parts.
FoundField head_of_tuple(Dwarf_Die record) {
  const auto head = FieldSearch().run(
      record, [](Dwarf_Die, Dwarf_Die type) { return is_record(type) && name_of(type).starts_with("_Head_base<0"); });
  if (!head) return std::nullopt;
  const auto pointer = pointer_field(head->type, {"_M_head_impl"});
  if (!pointer) return std::nullopt;
  return Field{head->offset + pointer->offset, pointer->type};
}

std::optional<PlainType> smart_type(Dwarf_Die record, std::string_view name) {
  FoundField pointer;
  if (name == "unique_ptr") {
    pointer = FieldSearch().run(record, [](Dwarf_Die member, Dwarf_Die type) {
      return is_pointer(type) &&
             (name_of(member) == "_M_head_impl" || name_of(member) == "__value_" || name_of(member) == "__ptr_");
    });
    if (pointer && bytes_of(record).value_or(0) != 8) pointer = head_of_tuple(record);
  } else {
    pointer = pointer_field(record, {"_M_ptr", "__ptr_"});
  }
  if (!pointer) return std::nullopt;
  PlainType plain{.kind = DebugType::Kind::smart, .layout = {}, .target = type_of(pointer->type)};
  plain.layout.data_offset = narrow(pointer->offset);
  return plain;
}

std::optional<PlainType> standard_type(Dwarf_Die record, const std::string& full) {
  const std::string_view name = standard_name(full);
  if (name == "basic_string") return text_type(record, full);
  if (has(record, DW_AT_declaration)) return std::nullopt;
  if (name == "basic_string_view") {
    const auto data = pointer_field(record, {"_M_str", "__data_", "__data"});
    const auto size = field(record, {"_M_len", "__size_", "__size"});
    if (!data || !size || !has_narrow_characters(full)) return std::nullopt;
    return counted(DebugType::Kind::text, *data, *size);
  }
  if (name == "vector") {
    const auto first = pointer_field(record, {"_M_start", "__begin_"});
    const auto last = pointer_field(record, {"_M_finish", "__end_"});
    if (!first || !last) return std::nullopt;  // of bool, for one
    PlainType plain = counted(DebugType::Kind::sequence, *first, *last);
    plain.layout.size_is_end = true;
    return plain;
  }
  if (name == "span") {
    const auto data = pointer_field(record, {"_M_ptr", "__data_", "__data"});
    const auto size = field(record, {"_M_extent_value", "__size_", "__size"});
    if (!data || !size) return std::nullopt;  // of a fixed extent
    return counted(DebugType::Kind::sequence, *data, *size);
  }
  if (name == "unique_ptr" || name == "shared_ptr" || name == "weak_ptr") return smart_type(record, name);
  if (name == "optional") return optional_type(record);
  return std::nullopt;
}

// A Rust enum of two variants, one of them without data: Option<T>, with a flag or with a value that cannot be.
std::optional<PlainType> rust_option(Dwarf_Die record) {
  for (const Dwarf_Die part : Children(record)) {
    if (tag_of(part) != DW_TAG_variant_part) continue;
    const auto discriminant = reference(part, DW_AT_discr);
    const auto flag_at = discriminant ? member_offset(*discriminant, false) : std::nullopt;
    const auto flag_bytes = discriminant ? bytes_of(type_of(*discriminant)) : std::nullopt;
    if (!flag_at || !flag_bytes || *flag_bytes > 8) return std::nullopt;
    PlainType plain{.kind = DebugType::Kind::optional, .layout = {}, .target = std::nullopt};
    plain.layout.size_offset = narrow(*flag_at);
    plain.layout.flag_bytes = static_cast<std::uint8_t>(*flag_bytes);
    bool has_none = false;
    bool has_some = false;
    for (const Dwarf_Die variant : Children(part)) {
      if (tag_of(variant) != DW_TAG_variant) continue;
      for (const Dwarf_Die member : Children(variant)) {
        if (tag_of(member) != DW_TAG_member) continue;
        const auto value = number(variant, DW_AT_discr_value);
        const auto type = without_typedefs(type_of(member));
        const auto at = member_offset(member, false);
        if (name_of(member) == "None" && value) {
          plain.layout.none = *value;
          has_none = true;
        }
        const auto inner = type && at ? field(*type, {"__0"}) : std::nullopt;
        if (name_of(member) == "Some" && inner) {
          plain.layout.data_offset = narrow(*at + inner->offset);
          plain.target = inner->type;
          has_some = true;
        }
      }
    }
    if (has_none && has_some) return plain;
  }
  return std::nullopt;
}

std::optional<PlainType> rust_type(Dwarf_Die record, const std::string& full) {
  // A struct that has such a reference among its members is none.
  const auto data = own_field(record, "data_ptr");
  const auto length = own_field(record, "length");
  if (data && length && is_pointer(data->type)) {
    const bool is_text = full.ends_with("str") || full.find("<str") != std::string::npos;
    return counted(is_text ? DebugType::Kind::text : DebugType::Kind::sequence, *data, *length);
  }
  const std::string own = name_of(record);
  if (own.starts_with("Option<")) return rust_option(record);
  const bool is_string = full == "alloc::string::String";
  if (!is_string && !(full.starts_with("alloc::vec::Vec<"))) return std::nullopt;
  const auto vector = is_string ? field(record, {"vec"}) : FoundField(Field{0, record});
  if (!vector) return std::nullopt;
  const auto pointer = first_pointer(vector->type);
  const auto size = field(vector->type, {"len"});
  if (!pointer || !size) return std::nullopt;
  PlainType plain =
      counted(is_string ? DebugType::Kind::text : DebugType::Kind::sequence,
              {vector->offset + pointer->offset, pointer->type}, {vector->offset + size->offset, size->type});
  // The buffer itself is one of bytes since Rust 1.80.
  if (!is_string) plain.target = template_type(vector->type, 0);
  return plain;
}

std::optional<PlainType> go_type(Dwarf_Die record) {
  constexpr unsigned go_kind = 0x2900;  // DW_AT_go_kind: a kind of Go's reflection
  constexpr std::uint64_t slice = 23;
  constexpr std::uint64_t string = 24;
  const auto kind = number(record, go_kind);
  if (kind == string) {
    const auto data = pointer_field(record, {"str"});
    const auto size = field(record, {"len"});
    if (data && size) return counted(DebugType::Kind::text, *data, *size);
  }
  if (kind == slice) {
    const auto data = pointer_field(record, {"array"});
    const auto size = field(record, {"len"});
    if (data && size) return counted(DebugType::Kind::sequence, *data, *size);
  }
  return std::nullopt;
}

}  // namespace

bool is_go_interface(Dwarf_Die record) {
  if (language_of(record) != language_go) return false;
  const std::string name = name_of(record);  // runtime/runtime2.go
  return name == "runtime.iface" || name == "runtime.eface";
}

std::optional<PlainType> plain_type(Dwarf_Die record, const std::string& name) {
  const int language = language_of(record);
  if (language == language_go) return go_type(record);
  if (language == language_rust) return rust_type(record, name);
  if (is_cpp(language) && name.starts_with("std::")) return standard_type(record, name);
  return std::nullopt;
}

}  // namespace diagnose::target
