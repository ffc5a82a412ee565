#include "target/calling_convention.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace diagnose::target {
namespace {

using Word = Classified::Word;
using Kind = Classified::Kind;

constexpr std::uint64_t word_bytes = 8;
constexpr int nesting_max = 24;             // records in records; deeper ones are a file that lies
constexpr std::size_t elements_max = 4096;  // looked at in one type of at most 16 bytes

// Whether the type's own declaration says that its copies are made by a function (Itanium C++ ABI 3.1.1: "non-trivial
// for the purposes of calls"); nothing: not known.
class Triviality {
 public:
  std::optional<bool> of(Dwarf_Die record, int depth) {
    switch (number(record, DW_AT_calling_convention).value_or(0)) {
      case DW_CC_pass_by_value:
        return true;
      case DW_CC_pass_by_reference:
        return false;
      default:
        break;
    }
    if (depth > nesting_max || has(record, DW_AT_declaration)) return std::nullopt;
    const std::string own_name = std::string(plain(name_of(record)));
    bool known = true;
    for (const Dwarf_Die child : Children(record)) {
      if (++looks_ > elements_max) return std::nullopt;
      const int tag = tag_of(child);
      if (tag == DW_TAG_subprogram && makes_copies(child, own_name)) return false;
      if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
      if (number(child, DW_AT_virtuality).value_or(0) != 0) return false;
      if (name_of(child).starts_with("_vptr")) return false;
      if (flag(child, DW_AT_external) || flag(child, DW_AT_declaration)) continue;
      const auto part = element_of(type_of(child));
      if (!part || !is_record(*part)) continue;
      const auto trivial = of(*part, depth + 1);
      if (trivial && !*trivial) return false;
      known = known && trivial;
    }
    return known ? std::optional(true) : std::nullopt;
  }

 private:
  static std::string_view plain(std::string_view name) { return name.substr(0, name.find('<')); }

  static std::optional<Dwarf_Die> element_of(std::optional<Dwarf_Die> type) {
    type = without_typedefs(type);
    for (int depth = 0; type && tag_of(*type) == DW_TAG_array_type && depth < nesting_max; ++depth) {
      type = without_typedefs(type_of(*type));
    }
    return type;
  }

  // A virtual function, a destructor, or a constructor from the same class, if a person wrote it.
  static bool makes_copies(Dwarf_Die function, const std::string& class_name) {
    if (number(function, DW_AT_virtuality).value_or(0) != 0) return true;
    if (flag(function, DW_AT_artificial) || flag(function, DW_AT_deleted)) return false;
    if (number(function, DW_AT_defaulted).value_or(0) == DW_DEFAULTED_in_class) return false;
    const std::string own = name_of(function);
    if (own.starts_with('~')) return true;
    if (plain(own) != class_name) return false;
    int place = 0;
    for (const Dwarf_Die parameter : Children(function)) {
      if (tag_of(parameter) != DW_TAG_formal_parameter || flag(parameter, DW_AT_artificial)) continue;
      if (++place > 1) break;  // a copy constructor may have more, with defaults
      const auto type = without_typedefs(type_of(parameter));
      if (!type || (tag_of(*type) != DW_TAG_reference_type && tag_of(*type) != DW_TAG_rvalue_reference_type)) continue;
      const auto to = without_typedefs(type_of(*type));
      if (to && is_record(*to) && plain(name_of(*to)) == class_name) return true;
    }
    return false;
  }

  std::size_t looks_ = 0;
};

// The eightbytes of a value of at most 16 bytes.
class Classifier {
 public:
  explicit Classifier(bool cpp) : cpp_(cpp) {}

  Classified run(std::optional<Dwarf_Die> written) {
    const auto type = without_typedefs(written);
    const auto bytes = bytes_of(written);
    if (!type || !bytes) return {};
    found_.bytes = *bytes;
    found_.kind = Kind::words;
    if (is_record(*type)) {
      if (cpp_) {
        const auto trivial = Triviality().of(*type, 0);
        if (!trivial) return {};
        if (!*trivial) return {.kind = Kind::by_reference, .words = {Word::integer}, .bytes = *bytes, .alignment = 8};
      }
      if (*bytes > 2 * word_bytes) return large(*type);
    }
    place(written, 0, 0);
    return finish();
  }

 private:
  Classified finish() {
    if (found_.kind != Kind::words) return found_;
    const std::uint64_t words = (found_.bytes + word_bytes - 1) / word_bytes;
    if (words > 2) return {};
    found_.words.assign(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(is_wide_sse_ ? 1U : words));
    const bool empty =
        std::all_of(found_.words.begin(), found_.words.end(), [](Word word) { return word == Word::none; });
    if (empty) found_.kind = Kind::empty;
    return found_;
  }

  // More than two eightbytes travel in memory, but for the vectors of AVX.
  Classified large(Dwarf_Die record) {
    has_vector_ = false;
    find_alignment(record, 0);
    if (has_vector_) return {};
    found_.kind = Kind::memory;
    return found_;
  }

  void find_alignment(Dwarf_Die record, int depth) {
    align(record);
    if (depth > nesting_max) return;
    for (const Dwarf_Die child : Children(record)) {
      if (++looks_ > elements_max) return;
      const int tag = tag_of(child);
      if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
      align(child);
      auto type = without_typedefs(type_of(child));
      while (type && tag_of(*type) == DW_TAG_array_type && !has(*type, DW_AT_GNU_vector) && ++looks_ < elements_max) {
        type = without_typedefs(type_of(*type));
      }
      if (!type) continue;
      if (has(*type, DW_AT_GNU_vector) && bytes_of(type).value_or(UINT64_MAX) > 16) has_vector_ = true;
      if (is_record(*type)) find_alignment(*type, depth + 1);
      if (tag_of(*type) == DW_TAG_base_type && bytes_of(type).value_or(0) == 16) found_.alignment = 16;
    }
  }

  void align(Dwarf_Die die) {
    const auto told = number(die, DW_AT_alignment);
    if (told && *told <= 4096) found_.alignment = std::max(found_.alignment, *told);
  }

  void give_up() { found_.kind = Kind::unknown; }
  void to_memory() {
    if (found_.kind == Kind::words) found_.kind = Kind::memory;
  }

  void merge(std::uint64_t offset, Word word) {
    if (offset >= 2 * word_bytes) return to_memory();
    Word& old = words_[offset / word_bytes];
    if (old != Word::integer) old = word;
  }

  // A value of `bytes` bytes in registers of one class.
  void scalar(std::uint64_t offset, std::uint64_t bytes, Word word) {
    if (bytes == 0) return;
    if (offset % std::min<std::uint64_t>(bytes, word_bytes) != 0) return to_memory();  // unaligned members
    for (std::uint64_t at = 0; at < bytes; at += word_bytes) merge(offset + at, word);
    if (bytes == 16) found_.alignment = std::max<std::uint64_t>(found_.alignment, 16);
  }

  // SSE and SSEUP: two eightbytes in one register.
  void wide(std::uint64_t offset) {
    if (found_.bytes != 16 || offset != 0) return give_up();
    is_wide_sse_ = true;
    found_.alignment = 16;
    merge(0, Word::sse);
  }

  void base_type(Dwarf_Die type, std::uint64_t offset, std::uint64_t bytes) {
    const auto encoding = number(type, DW_AT_encoding).value_or(0);
    const std::string name = name_of(type);
    switch (encoding) {
      case DW_ATE_float:
      case DW_ATE_decimal_float:
      case DW_ATE_imaginary_float:
        if (bytes <= word_bytes) return scalar(offset, bytes, Word::sse);
        if (bytes != 16) return give_up();
        found_.alignment = 16;
        if (name == "long double" || name == "__float80" || name == "_Float64x") {
          if (found_.bytes != 16) return to_memory();
          found_.kind = Kind::x87;
          return;
        }
        return name == "__float128" || name == "_Float128" ? wide(offset) : give_up();
      case DW_ATE_complex_float:
        if (bytes == 8) return scalar(offset, 8, Word::sse);
        if (bytes == 16) {
          merge(offset, Word::sse);
          return merge(offset + 8, Word::sse);
        }
        if (name.find("long double") == std::string::npos) return give_up();
        found_.kind = Kind::x87;
        return;
      default:
        return bytes > 16 ? give_up() : scalar(offset, bytes, Word::integer);
    }
  }

  void place(std::optional<Dwarf_Die> written, std::uint64_t offset, int depth) {
    const auto type = without_typedefs(written);
    const auto bytes = bytes_of(written);
    if (!type || !bytes || depth > nesting_max || ++looks_ > elements_max) return give_up();
    switch (tag_of(*type)) {
      case DW_TAG_base_type:
        return base_type(*type, offset, *bytes);
      case DW_TAG_pointer_type:
      case DW_TAG_reference_type:
      case DW_TAG_rvalue_reference_type:
      case DW_TAG_enumeration_type:
      case DW_TAG_unspecified_type:
      case DW_TAG_ptr_to_member_type:
        if (tag_of(*type) == DW_TAG_ptr_to_member_type && *bytes == 16) {
          merge(offset, Word::integer);
          return merge(offset + 8, Word::integer);
        }
        return scalar(offset, *bytes, Word::integer);
      case DW_TAG_array_type:
        return array(*type, offset, *bytes, depth);
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
        return record(*type, offset, depth);
      default:
        return give_up();
    }
  }

  void array(Dwarf_Die type, std::uint64_t offset, std::uint64_t bytes, int depth) {
    if (has(type, DW_AT_GNU_vector)) {
      if (bytes == word_bytes) return merge(offset, Word::sse);
      return bytes == 16 ? wide(offset) : give_up();  // AVX or not decides of larger ones
    }
    const auto element = type_of(type);
    const auto step = bytes_of(element);
    if (!step) return give_up();
    if (*step == 0) return;
    for (std::uint64_t at = 0; at < bytes && found_.kind == Kind::words; at += *step)
      place(element, offset + at, depth + 1);
  }

  void record(Dwarf_Die type, std::uint64_t offset, int depth) {
    align(type);
    const bool is_union = tag_of(type) == DW_TAG_union_type;
    for (const Dwarf_Die child : Children(type)) {
      if (found_.kind != Kind::words || ++looks_ > elements_max) return;
      const int tag = tag_of(child);
      if (tag == DW_TAG_variant_part) return give_up();
      if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
      if (flag(child, DW_AT_external) || flag(child, DW_AT_declaration)) continue;
      if (const auto bits = number(child, DW_AT_bit_size)) {
        bit_field(child, offset, *bits, is_union);
        continue;
      }
      const auto at = member_offset(child, is_union);
      if (!at) return give_up();
      align(child);
      const auto part = without_typedefs(type_of(child));
      if (tag == DW_TAG_inheritance && part && is_record(*part)) {
        record(*part, offset + *at, depth + 1);  // its size of 1 may be nothing in a derived class
        continue;
      }
      if (depth > nesting_max) return give_up();
      const bool is_flexible = part && tag_of(*part) == DW_TAG_array_type && !bytes_of(part);
      if (!is_flexible) place(type_of(child), offset + *at, depth + 1);
    }
  }

  void bit_field(Dwarf_Die member, std::uint64_t offset, std::uint64_t bits, bool is_union) {
    if (name_of(member).empty() || bits == 0) return;
    const auto told = number(member, DW_AT_data_bit_offset);
    std::uint64_t lowest = told.value_or(0);
    if (!told) {
      const auto at = member_offset(member, is_union);
      const auto unit = number(member, DW_AT_byte_size) ? number(member, DW_AT_byte_size) : bytes_of(type_of(member));
      const auto from_top = number(member, DW_AT_bit_offset);
      if (!at || !unit || !from_top || *unit > 16 || *from_top + bits > *unit * 8) return give_up();
      lowest = *at * 8 + *unit * 8 - *from_top - bits;
    }
    if (lowest > 1024 || bits > 128) return give_up();
    for (std::uint64_t bit = lowest; bit < lowest + bits; ++bit) merge(offset + bit / 8, Word::integer);
  }

  bool cpp_;
  Classified found_;
  std::array<Word, 2> words_ = {Word::none, Word::none};
  bool has_vector_ = false;
  bool is_wide_sse_ = false;
  std::size_t looks_ = 0;
};

// Hands registers and stack out, argument by argument.
class SystemV {
 public:
  explicit SystemV(bool cpp) : cpp_(cpp) {}

  Passed result(std::optional<Dwarf_Die> type) {
    const Classified how = classify_system_v(type, cpp_);
    switch (how.kind) {
      case Kind::unknown:
        shifted_ = true;  // perhaps
        return not_told("how a value of this type is returned is not known");
      case Kind::empty:
        return {};
      case Kind::x87:
        return not_told("returned in %st(0)");
      case Kind::memory:
      case Kind::by_reference:
        ++integers_used_;  // the address of the place for it, in %rdi; %rax has it at the end
        return {{in_memory(register_result, 0, how.bytes)}, {}};
      case Kind::words:
        break;
    }
    constexpr std::array<std::uint8_t, 2> integers = {0, 2};  // rax, rdx
    std::size_t integer = 0;
    std::size_t vector = 0;
    Passed passed = pieces(how, [&](Word word, std::uint64_t bytes) {
      return word == Word::sse ? in_vector(vector++, bytes) : in_register(integers.at(integer++), bytes);
    });
    if (integer == 0 && vector > 0) return not_told(vector == 1 ? "returned in %xmm0" : "returned in %xmm0 and %xmm1");
    return passed;
  }

  Passed argument(std::optional<Dwarf_Die> type) {
    if (shifted_) return not_told("which register it is passed in is not known: an earlier type is not");
    const Classified how = classify_system_v(type, cpp_);
    switch (how.kind) {
      case Kind::unknown:
        shifted_ = true;
        return not_told("how a value of this type is passed is not known");
      case Kind::empty:
        return {};
      case Kind::memory:
      case Kind::x87:
        return on_stack(how);
      case Kind::by_reference:
      case Kind::words:
        break;
    }
    const auto integers = static_cast<std::size_t>(std::count(how.words.begin(), how.words.end(), Word::integer));
    const auto vectors = static_cast<std::size_t>(std::count(how.words.begin(), how.words.end(), Word::sse));
    const bool fits = integers_used_ + integers <= integers_.size() && vectors_used_ + vectors <= vectors_max;
    if (how.kind == Kind::by_reference) {
      if (fits) return {{in_memory(integers_.at(integers_used_++), 0, how.bytes)}, {}};
      stack_ += word_bytes;
      return not_told("its address is passed on the stack");
    }
    if (!fits) return on_stack(how);
    return pieces(how, [&](Word word, std::uint64_t bytes) {
      return word == Word::sse ? in_vector(vectors_used_++, bytes) : in_register(integers_.at(integers_used_++), bytes);
    });
  }

 private:
  template <typename Take>
  static Passed pieces(const Classified& how, Take take) {
    Passed passed;
    for (std::size_t at = 0; at < how.words.size(); ++at) {
      const bool last = at + 1 == how.words.size();
      const std::uint64_t bytes = last ? how.bytes - at * word_bytes : word_bytes;
      if (how.words[at] == Word::none) {
        passed.pieces.push_back({.where = Piece::Where::gone, .bytes = static_cast<std::uint32_t>(bytes)});
      } else {
        passed.pieces.push_back(take(how.words[at], bytes));
      }
    }
    return passed;
  }

  Passed on_stack(const Classified& how) {
    if (how.bytes > UINT32_MAX) return not_told("it is too large");
    const std::uint64_t alignment = std::max(word_bytes, how.alignment);
    if ((alignment & (alignment - 1)) != 0) {
      shifted_ = true;
      return not_told("its alignment is not known");
    }
    stack_ = (stack_ + alignment - 1) & ~(alignment - 1);
    const Passed passed{{in_memory(register_sp, word_bytes + stack_, how.bytes)}, {}};
    stack_ += (how.bytes + word_bytes - 1) & ~(word_bytes - 1);
    return passed;
  }

  static constexpr std::array<std::uint8_t, 6> integers_ = {7, 6, 2, 1, 8, 9};  // rdi rsi rdx rcx r8 r9
  static constexpr std::size_t vectors_max = 8;
  bool cpp_;
  bool shifted_ = false;
  std::size_t integers_used_ = 0;
  std::size_t vectors_used_ = 0;
  std::uint64_t stack_ = 0;  // bytes above the return address
};

}  // namespace

Passed not_told(std::string why) {
  Passed passed;
  passed.why = std::move(why);
  return passed;
}

Piece in_register(std::uint8_t base, std::uint64_t bytes) {
  return {.where = Piece::Where::reg, .base = base, .bytes = static_cast<std::uint32_t>(bytes)};
}

Piece in_vector(std::size_t number, std::uint64_t bytes) {
  constexpr std::size_t dwarf_xmm0 = 17;
  return {.where = Piece::Where::vector,
          .offset = static_cast<std::int64_t>(dwarf_xmm0 + number),
          .bytes = static_cast<std::uint32_t>(bytes)};
}

Piece in_memory(std::uint8_t base, std::uint64_t offset, std::uint64_t bytes) {
  return {.where = Piece::Where::memory,
          .base = base,
          .offset = static_cast<std::int64_t>(offset),
          .bytes = static_cast<std::uint32_t>(bytes)};
}

Classified classify_system_v(std::optional<Dwarf_Die> type, bool cpp) {
  return Classifier(cpp).run(type);
}

CallPlan plan_call(int language, const std::vector<std::optional<Dwarf_Die>>& parameters,
                   const std::vector<Dwarf_Die>& results) {
  if (language == language_go) return plan_go_call(parameters, results);
  if (language == language_rust) return plan_rust_call(parameters, results);
  CallPlan plan;
  plan.arguments.resize(parameters.size());
  if (!is_c(language) && !is_cpp(language)) {
    for (Passed& one : plan.arguments) one.why = "how this language passes its arguments is not known";
    if (!results.empty()) plan.results.push_back(not_told("how this language returns its results is not known"));
    return plan;
  }
  SystemV convention(is_cpp(language));
  if (!results.empty()) plan.results.push_back(convention.result(results.front()));
  for (std::size_t at = 0; at < parameters.size(); ++at) plan.arguments[at] = convention.argument(parameters[at]);
  return plan;
}

}  // namespace diagnose::target
