// Go's and Rust's calling conventions.
#include <algorithm>
#include <array>
#include <string_view>

#include "target/calling_convention.h"

namespace diagnose::target {
namespace {

constexpr std::uint64_t word_bytes = 8;
constexpr int nesting_max = 24;
constexpr std::size_t parts_max = 64;    // of one value; no register is left for more
constexpr std::size_t looks_max = 4096;  // at members of one type

// A value as the scalars it is made of, in the order of memory.
struct Scalar {
  std::uint64_t offset = 0, bytes = 0;
  bool is_float = false;
};

bool take_apart(std::optional<Dwarf_Die> written, std::uint64_t offset, std::uint64_t arrays_max, int depth,
                std::vector<Scalar>& parts);

// A Rust enum of which at most one variant has data: the data, and the discriminant if that is not a part of it.
bool take_variants_apart(Dwarf_Die part, std::uint64_t offset, int depth, std::vector<Scalar>& parts) {
  const auto discriminant = reference(part, DW_AT_discr);
  const auto at = discriminant ? member_offset(*discriminant, false) : std::nullopt;
  const auto bytes = discriminant ? bytes_of(type_of(*discriminant)) : std::nullopt;
  if (!at || !bytes || *bytes > word_bytes) return false;
  std::vector<Scalar> data;
  for (const Dwarf_Die variant : Children(part)) {
    if (tag_of(variant) != DW_TAG_variant) continue;
    std::vector<Scalar> own;
    for (const Dwarf_Die child : Children(variant)) {
      if (tag_of(child) != DW_TAG_member) continue;
      const auto from = member_offset(child, false);
      if (!from || !take_apart(type_of(child), offset + *from, 0, depth + 1, own)) return false;
    }
    if (!own.empty() && !data.empty()) return false;
    if (!own.empty()) data = std::move(own);
  }
  const bool within = std::any_of(data.begin(), data.end(), [&](const Scalar& scalar) {
    return offset + *at >= scalar.offset && offset + *at < scalar.offset + scalar.bytes;
  });
  if (!within) parts.push_back({offset + *at, *bytes, false});
  parts.insert(parts.end(), data.begin(), data.end());
  return true;
}

// False: it has parts that cannot be told, or too many.  `arrays_max`: longer arrays are not taken apart.
bool take_apart(std::optional<Dwarf_Die> written, std::uint64_t offset, std::uint64_t arrays_max, int depth,
                std::vector<Scalar>& parts) {
  const auto type = without_typedefs(written);
  const auto bytes = bytes_of(written);
  if (!type || !bytes || depth > nesting_max || parts.size() > parts_max) return false;
  switch (tag_of(*type)) {
    case DW_TAG_base_type: {
      const auto encoding = number(*type, DW_AT_encoding).value_or(0);
      if (encoding == DW_ATE_complex_float) {
        parts.push_back({offset, *bytes / 2, true});
        parts.push_back({offset + *bytes / 2, *bytes / 2, true});
        return true;
      }
      if (*bytes > word_bytes) return false;
      if (*bytes > 0) parts.push_back({offset, *bytes, encoding == DW_ATE_float});
      return true;
    }
    case DW_TAG_pointer_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subroutine_type:
      if (*bytes > word_bytes) return false;
      parts.push_back({offset, *bytes, false});
      return true;
    case DW_TAG_array_type: {
      const auto element = type_of(*type);
      const auto step = bytes_of(element);
      if (!step) return false;
      if (*step == 0 || *bytes == 0) return true;
      if (*bytes / *step > arrays_max) return false;
      for (std::uint64_t at = 0; at < *bytes; at += *step) {
        if (!take_apart(element, offset + at, arrays_max, depth + 1, parts)) return false;
      }
      return true;
    }
    case DW_TAG_structure_type:
      for (const Dwarf_Die child : Children(*type)) {
        if (tag_of(child) == DW_TAG_variant_part && !take_variants_apart(child, offset, depth, parts)) return false;
        if (tag_of(child) != DW_TAG_member) continue;
        const auto at = member_offset(child, false);
        if (!at || !take_apart(type_of(child), offset + *at, arrays_max, depth + 1, parts)) return false;
      }
      return true;
    default:
      return false;
  }
}

// The alignment of a Go type is that of its widest part, at most 8 bytes.
std::uint64_t go_alignment(std::optional<Dwarf_Die> written, int depth = 0) {
  const auto type = without_typedefs(written);
  if (!type || depth > nesting_max) return word_bytes;
  if (tag_of(*type) == DW_TAG_array_type) return go_alignment(type_of(*type), depth + 1);
  if (tag_of(*type) != DW_TAG_structure_type) {
    const std::uint64_t bytes = bytes_of(type).value_or(word_bytes);
    const bool is_complex = number(*type, DW_AT_encoding).value_or(0) == DW_ATE_complex_float;
    return std::clamp<std::uint64_t>(is_complex ? bytes / 2 : bytes, 1, word_bytes);
  }
  std::uint64_t widest = 1;
  for (const Dwarf_Die child : Children(*type)) {
    if (tag_of(child) == DW_TAG_member) widest = std::max(widest, go_alignment(type_of(child), depth + 1));
  }
  return widest;
}

// Pieces that fill `bytes` bytes, gaps between the scalars left out as gone.
template <typename Take>
std::vector<Piece> fill(const std::vector<Scalar>& parts, std::uint64_t bytes, Take take) {
  std::vector<Piece> pieces;
  std::uint64_t at = 0;
  const auto gap = [&](std::uint64_t until) {
    if (until > at) pieces.push_back({.where = Piece::Where::gone, .bytes = static_cast<std::uint32_t>(until - at)});
  };
  for (const Scalar& part : parts) {
    gap(part.offset);
    pieces.push_back(take(part));
    at = part.offset + part.bytes;
  }
  gap(bytes);
  return pieces;
}

// One sequence of registers: the arguments', or the results'.
class GoRegisters {
 public:
  // Nothing: it goes to the stack as a whole.
  std::optional<std::vector<Piece>> assign(std::optional<Dwarf_Die> type) {
    std::vector<Scalar> parts;
    if (!take_apart(type, 0, 1, 0, parts)) return std::nullopt;
    const auto floats = static_cast<std::size_t>(
        std::count_if(parts.begin(), parts.end(), [](const Scalar& part) { return part.is_float; }));
    if (integers_ + (parts.size() - floats) > registers_.size() || floats_ + floats > floats_max) return std::nullopt;
    return fill(parts, bytes_of(type).value_or(0), [&](const Scalar& part) {
      return part.is_float ? in_vector(floats_++, part.bytes) : in_register(registers_.at(integers_++), part.bytes);
    });
  }

 private:
  static constexpr std::array<std::uint8_t, 9> registers_ = {0, 3, 1,  7, 6,
                                                             8, 9, 10, 11};  // rax rbx rcx rdi rsi r8-r11
  static constexpr std::size_t floats_max = 15;
  std::size_t integers_ = 0;
  std::size_t floats_ = 0;
};

// Whether a struct has an array that takes room: Rust then sees no scalars in it.
bool holds_array(std::optional<Dwarf_Die> written, std::size_t& looks, int depth = 0) {
  const auto type = without_typedefs(written);
  if (!type || depth > nesting_max) return false;
  if (tag_of(*type) == DW_TAG_array_type) return bytes_of(type).value_or(0) > 0;
  if (tag_of(*type) != DW_TAG_structure_type) return false;
  for (const Dwarf_Die child : Children(*type)) {
    if (++looks > looks_max) return false;
    if (tag_of(child) == DW_TAG_member && holds_array(type_of(child), looks, depth + 1)) return true;
  }
  return false;
}

// Rust's convention is not written down.  The same in all releases: a value of one scalar, or of two, travels in
// registers, and one of more than two words by its address.
struct RustPassed {
  enum class Kind { scalars, by_reference, nothing, unknown } kind = Kind::unknown;
  std::vector<Scalar> parts;
};

RustPassed rust_passed(std::optional<Dwarf_Die> type) {
  const auto bytes = bytes_of(type);
  if (!type || !bytes) return {};
  if (*bytes == 0) return {RustPassed::Kind::nothing, {}};
  RustPassed passed;
  const auto plain = without_typedefs(type);
  if (plain && tag_of(*plain) == DW_TAG_array_type) {
    // An array is never taken for scalars.
    return *bytes > 2 * word_bytes ? RustPassed{RustPassed::Kind::by_reference, {}} : RustPassed{};
  }
  if (take_apart(type, 0, 0, 0, passed.parts)) {
    std::sort(passed.parts.begin(), passed.parts.end(),
              [](const Scalar& a, const Scalar& b) { return a.offset < b.offset; });
    if (passed.parts.size() <= 2) {
      passed.kind = RustPassed::Kind::scalars;
      return passed;
    }
    if (*bytes > 2 * word_bytes) return {RustPassed::Kind::by_reference, {}};
  } else if (std::size_t looks = 0; *bytes > 2 * word_bytes && holds_array(type, looks)) {
    return {RustPassed::Kind::by_reference, {}};
  }
  return {};
}

}  // namespace

CallPlan plan_go_call(const std::vector<std::optional<Dwarf_Die>>& parameters, const std::vector<Dwarf_Die>& results) {
  CallPlan plan;
  GoRegisters arguments;
  std::uint64_t stack = 0;
  for (const auto& parameter : parameters) {
    const auto bytes = bytes_of(parameter);
    if (!bytes || *bytes > UINT32_MAX) {
      plan.arguments.push_back(not_told("the size of its type is not known"));
      continue;
    }
    if (auto pieces = arguments.assign(parameter)) {
      plan.arguments.push_back({std::move(*pieces), {}});
      continue;
    }
    const std::uint64_t alignment = go_alignment(parameter);
    stack = (stack + alignment - 1) / alignment * alignment;
    plan.arguments.push_back({{in_memory(register_sp, word_bytes + stack, *bytes)}, {}});
    stack += *bytes;
  }
  GoRegisters returned;
  for (const Dwarf_Die& result : results) {
    auto pieces = returned.assign(result);
    plan.results.push_back(pieces ? Passed{std::move(*pieces), {}} : not_told("returned on the stack"));
  }
  return plan;
}

CallPlan plan_rust_call(const std::vector<std::optional<Dwarf_Die>>& parameters,
                        const std::vector<Dwarf_Die>& results) {
  constexpr std::array<std::uint8_t, 6> integers = {7, 6, 2, 1, 8, 9};  // as System V
  constexpr std::array<std::uint8_t, 2> returned = {0, 2};
  constexpr std::size_t vectors_max = 8;
  CallPlan plan;
  std::size_t integer = 0;
  std::size_t vector = 0;
  bool shifted = false;
  if (!results.empty()) {
    const RustPassed how = rust_passed(results.front());
    const std::uint64_t bytes = bytes_of(results.front()).value_or(0);
    Passed passed;
    std::size_t from = 0;
    std::size_t from_vector = 0;
    switch (how.kind) {
      case RustPassed::Kind::scalars:
        passed.pieces = fill(how.parts, bytes, [&](const Scalar& part) {
          return part.is_float ? in_vector(from_vector++, part.bytes) : in_register(returned.at(from++), part.bytes);
        });
        if (from == 0) passed = not_told("returned in %xmm0");
        break;
      case RustPassed::Kind::by_reference:
        passed.pieces.push_back(in_memory(register_result, 0, bytes));
        ++integer;
        break;
      case RustPassed::Kind::nothing:
        break;
      case RustPassed::Kind::unknown:
        passed.why = "how Rust returns a value of this type is not known";
        shifted = bytes == 0 || bytes > word_bytes;  // or it comes back in registers
        break;
    }
    plan.results.push_back(std::move(passed));
  }
  for (const auto& parameter : parameters) {
    const RustPassed how = rust_passed(parameter);
    Passed passed;
    std::size_t floats = 0;
    for (const Scalar& part : how.parts) floats += part.is_float ? 1U : 0U;
    if (how.kind == RustPassed::Kind::nothing) {
      plan.arguments.push_back({});
      continue;
    }
    const std::size_t words = how.kind == RustPassed::Kind::by_reference ? 1 : how.parts.size() - floats;
    shifted = shifted || how.kind == RustPassed::Kind::unknown || integer + words > integers.size() ||
              vector + floats > vectors_max;
    if (shifted) {
      passed.why = "where Rust passes it is not known";
    } else if (how.kind == RustPassed::Kind::by_reference) {
      passed.pieces.push_back(in_memory(integers.at(integer++), 0, bytes_of(parameter).value_or(0)));
    } else {
      passed.pieces = fill(how.parts, bytes_of(parameter).value_or(0), [&](const Scalar& part) {
        return part.is_float ? in_vector(vector++, part.bytes) : in_register(integers.at(integer++), part.bytes);
      });
    }
    plan.arguments.push_back(std::move(passed));
  }
  return plan;
}

}  // namespace diagnose::target
