// Scalars by the YAML 1.2 core schema (10.3.2), and trees as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "spec/yaml.h"

namespace diagnose::spec {

// Whole numbers as the schema has them (decimal, 0o17, 0xff, a sign); nullopt beyond 64 bits too.
[[nodiscard]] std::optional<std::int64_t> integer_of(std::string_view text);

// Any finite number of the schema.
[[nodiscard]] std::optional<double> number_of(std::string_view text);

// `as_typed`: every plain scalar by the schema.  `as_written`: a number only where its JSON text is exactly what was
// written, else a string, so that an expression `0x1F` reads back as itself.
enum class Numbers { as_typed, as_written };

// Mapping keys become strings.  Numbers that JSON cannot hold stay strings.
[[nodiscard]] nlohmann::json to_json(const Node& node, Numbers numbers);

}  // namespace diagnose::spec
