// Types of the debug information as plain data (debug_info.h), as far as the names of a request reach.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "target/debug_info.h"
#include "target/dwarf_names.h"
#include "target/dwarf_units.h"

namespace diagnose::target {

class DwarfTypes {
 public:
  // Borrows all of them.  `types` is filled; its first is set to no_type.
  DwarfTypes(DwarfUnits& units, DwarfNames& names, const std::vector<std::string>& members,
             std::vector<DebugType>& types);

  // The type with its members and those of what it points to; members of a wanted name likewise.  Nothing is void.
  // Beyond limits::debug_types: no_type.
  [[nodiscard]] TypeId add(std::optional<Dwarf_Die> type) { return add(type, true, 0); }
  // A type of our own making.
  [[nodiscard]] TypeId add_made(DebugType type);

  // As the source says it: "const char*", "struct request", "shop::Cart".
  [[nodiscard]] std::string name(std::optional<Dwarf_Die> type) { return name(type, 0); }
  // The definition of a type that is only declared; the type itself if there is none, or it is one.
  [[nodiscard]] Dwarf_Die defined(Dwarf_Die type);

 private:
  TypeId add(std::optional<Dwarf_Die> written, bool expand, int depth);
  TypeId add_dimension(Dwarf_Die written, Dwarf_Die array, const std::vector<std::optional<std::uint64_t>>& counts,
                       std::size_t dimension, bool expand, int depth);
  void tell(TypeId id, Dwarf_Die plain);
  void expand(TypeId id, Dwarf_Die plain, int depth);
  void expand_record(TypeId id, Dwarf_Die record, int depth);
  void add_member(DebugType::Member& member, Dwarf_Die die, bool in_union, int depth);
  void add_variants(std::vector<DebugType::Member>& members, Dwarf_Die part, int depth);
  void expand_enumeration(TypeId id, Dwarf_Die enumeration);
  [[nodiscard]] std::string name(std::optional<Dwarf_Die> type, int depth);

  DwarfUnits& units_;
  DwarfNames& names_;
  std::unordered_set<std::string> wanted_;
  std::vector<DebugType>& types_;
  std::map<std::pair<const void*, std::size_t>, TypeId> ids_;  // by entry and dimension
  std::vector<bool> expanded_;                                 // by id: asked for and done
};

// A library type whose internals are made plain: what it is, and where its parts are.
struct PlainType {
  DebugType::Kind kind = DebugType::Kind::record;
  DebugType::Layout layout;
  std::optional<Dwarf_Die> target;
  std::uint64_t count = 0;  // of an array
  std::uint64_t bytes = 0;  // if the debug information only declares the type; else 0
};
// `name` is qualified.  Nothing for every other type, and for one whose inside is not as expected.
[[nodiscard]] std::optional<PlainType> plain_type(Dwarf_Die record, const std::string& name);
// The record that every interface of Go is: `error`, `any`.
[[nodiscard]] bool is_go_interface(Dwarf_Die record);

}  // namespace diagnose::target
