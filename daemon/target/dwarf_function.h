// One place as the debug information sees it: the function, its variables and where they are, its result.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "target/cfi.h"
#include "target/debug_info.h"
#include "target/dwarf_types.h"
#include "target/dwarf_units.h"

namespace diagnose::target {

// What the symbols and the call-frame information of the file say of a place.
struct PlaceFacts {
  bool has_symbol = false;         // for its function; without one nothing says that it is no clone
  bool changed_result = false;     // a clone that may return something else, or nothing
  bool changed_signature = false;  // a clone (".isra.0", ".constprop.0", ".part.0"): its parameters are its own
  bool exported = false;           // a global symbol: callers elsewhere know the function by its declared type
  std::optional<CfaRule> cfa;      // at the place
};

// Fills everything of `described` but `at`, which says where.  `entry`: values are wanted as they are at the call.
void describe_function(const DwarfFunction& function, bool entry, const PlaceFacts& facts, DwarfUnits& units,
                       DwarfTypes& types, Described& described);

// Its name as `nm -C` prints it.
[[nodiscard]] std::string function_name(Dwarf_Die function, DwarfUnits& units);
struct SourcePlace {
  std::string file;
  std::uint32_t line = 0;
};
[[nodiscard]] SourcePlace declared_at(Dwarf_Die function);

}  // namespace diagnose::target
