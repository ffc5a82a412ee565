// Types, variables and enumerators by their names: in the unit of the place first, then in all others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "target/dwarf_units.h"

namespace diagnose::target {

class DwarfNames {
 public:
  struct Enumerator {
    Dwarf_Die enumeration{};
    std::int64_t value = 0;
  };

  // Borrows `units`.
  explicit DwarfNames(DwarfUnits& units) : units_(units) {}

  // Where to look first: the unit of the source of `die`, and the scopes of the function of that qualified name, from
  // inner to outer
  // ("shop::Cart::checkout": `Item` may be shop::Cart::Item, shop::Item or Item).
  void stand_at(Dwarf_Die die, std::string_view function);

  // Definitions only.  `name` as a person writes it: "struct request", "ns::Type", "unsigned int".
  [[nodiscard]] std::optional<Dwarf_Die> type(std::string_view name);
  [[nodiscard]] std::optional<Dwarf_Die> variable(std::string_view name);  // with a place or a value
  [[nodiscard]] std::optional<Enumerator> enumerator(std::string_view name);
  // The record or enumeration of exactly that qualified name, in any unit.
  [[nodiscard]] std::optional<Dwarf_Die> definition(std::string_view qualified);

 private:
  enum class Kind : std::uint8_t { type, variable, enumeration };
  struct Named {
    std::uint64_t hash = 0;  // of the qualified name without spaces, and of the kind
    Dwarf_Die die{};         // of an enumerator: its enumeration
  };
  using Found = std::optional<Dwarf_Die>;

  [[nodiscard]] static std::uint64_t hash(Kind kind, std::string_view qualified);
  [[nodiscard]] const std::vector<Named>& names_of(const Dwarf_Die& unit);
  [[nodiscard]] std::string full_name(Dwarf_Die die, const std::string& scope) const;
  void collect(Dwarf_Die parent, const std::string& scope, int depth, std::vector<Named>& names);
  void collect_enumerators(Dwarf_Die enumeration, const std::string& scope, const std::string& own,
                           std::vector<Named>& names);
  [[nodiscard]] Found find(Kind kind, std::string_view qualified);
  [[nodiscard]] Found find_in(const Dwarf_Die& unit, std::uint64_t wanted);
  [[nodiscard]] bool is_of_unit(const Dwarf_Die& die) const;
  [[nodiscard]] Found find_type(std::string_view qualified, int depth);
  // The name in every scope that stands around, inner first.
  [[nodiscard]] std::vector<std::string> candidates(std::string_view name) const;

  DwarfUnits& units_;
  std::optional<Dwarf_Die> unit_;
  bool linked_together_ = false;     // the code of that unit stands in others, with the code of others
  std::vector<std::string> scopes_;  // "shop::Cart::", "shop::", ""
  std::unordered_map<const void*, std::vector<Named>> names_;          // by unit; each sorted by hash
  std::unordered_map<std::uint64_t, std::optional<Dwarf_Die>> known_;  // answers that took a search through all
  std::size_t looks_ = 0;
};

}  // namespace diagnose::target
