// The names that expressions know, and what to say about those that they do not.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "compile/check.h"

namespace diagnose::compile {

// The value that `name` stands for; nullptr if it is unknown.  Names of arguments depend on `abi`.
[[nodiscard]] TypedPtr named_value(const std::string& name, std::size_t position, Abi abi = Abi::system_v);

[[nodiscard]] Issue unknown_name(const std::string& name, std::size_t position, Abi abi);
[[nodiscard]] Issue unknown_function(const std::string& name, std::size_t position);

}  // namespace diagnose::compile
