// C's integer arithmetic as pure functions: types of results, and values of constants.
#pragma once

#include <cstdint>
#include <optional>

#include "compile/check.h"

namespace diagnose::compile {

inline constexpr Type int_type{.kind = TypeKind::integer, .bytes = 4, .is_signed = true};
inline constexpr Type unsigned_int_type{.kind = TypeKind::integer, .bytes = 4, .is_signed = false};
inline constexpr Type long_type{.kind = TypeKind::integer, .bytes = 8, .is_signed = true};
inline constexpr Type unsigned_long_type{.kind = TypeKind::integer, .bytes = 8, .is_signed = false};
inline constexpr Type time_type{.kind = TypeKind::integer, .bytes = 8, .is_signed = false, .is_time = true};
inline constexpr Type boolean_type{.kind = TypeKind::boolean, .bytes = 1, .is_signed = false};
inline constexpr Type null_type{.kind = TypeKind::nothing, .bytes = 0};

[[nodiscard]] bool same_number(const Type& a, const Type& b);  // width and sign, whatever the unit

// Integer promotion (C17 6.3.1.1) and usual arithmetic conversions (6.3.1.8).  Neither looks at units.
[[nodiscard]] Type promoted(Type type);
[[nodiscard]] Type common(Type a, Type b);

// `bits` cut to the type's width and extended by its sign.
[[nodiscard]] std::int64_t canonical(std::int64_t bits, const Type& type);

// Whether every value of `from` is the same 64 bits in `to`.
[[nodiscard]] bool extends(const Type& from, const Type& to);

// One operator on constants of `type`, wrapping; shifts are masked to the width.  Nullopt: division by zero.
[[nodiscard]] std::optional<std::int64_t> computed(Op op, const Type& type, std::int64_t a, std::int64_t b);

// The largest power of `base` not above |value|, with value's sign.
[[nodiscard]] std::int64_t magnitude_of(std::int64_t value, const Type& type, std::uint64_t base);

}  // namespace diagnose::compile
