// The names that expressions know, and what to say about those that they do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "compile/check.h"

namespace diagnose::compile {

// The built-in value that `name` stands for; nullptr if there is none.  Names of arguments depend on `abi`.
[[nodiscard]] TypedPtr named_value(const std::string& name, std::size_t position, Abi abi = Abi::system_v);
[[nodiscard]] bool is_built_in(const std::string& name);                              // under any ABI
[[nodiscard]] std::optional<std::uint64_t> argument_number(const std::string& name);  // of `arg12`

// Registers that arguments are passed in, x86 encoding, in their order: System V x86-64 ABI 3.2.3; Go's
// abi-internal.md, whose results come back in the same.
[[nodiscard]] std::span<const std::uint8_t> argument_registers(Abi abi);

// What is to be said of a name that is reserved; nullopt: it is not.
[[nodiscard]] std::optional<Issue> refused_name(const std::string& name, std::size_t position, Abi abi);
[[nodiscard]] Issue unknown_function(const std::string& name, std::size_t position);

// The nearest of `known` to `name`, if it is near enough to be what was meant; else empty.
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string_view> known);
[[nodiscard]] std::string near_built_in(const std::string& name, Abi abi);
[[nodiscard]] std::string quoted(const std::string& name);  // `name`, cut if it is long

}  // namespace diagnose::compile
