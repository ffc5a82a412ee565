// The compilation units of a file: which one covers an address, which functions it has, and in which scopes its entries
// stand.  Nothing is read before it is asked for, and of a large file only the units that matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/units.h"
#include "target/answer.h"
#include "target/dwarf_die.h"

namespace diagnose::target {

// Code of one function (DW_TAG_subprogram with code of its own).
struct DwarfFunction {
  Dwarf_Die die{};
  LinkAddress entry{};
  std::vector<Range> ranges;
};

// Where the entry has code, but for what the linker dropped.
[[nodiscard]] std::vector<Range> ranges_of(Dwarf_Die die);

// Stretches of addresses, each with a number; they may overlap.
class Stretches {
 public:
  void add(std::uint64_t low, std::uint64_t high, std::size_t number) { all_.push_back({low, high, 0, number}); }
  void sort();  // after the last add()
  // The numbers of those that hold `address`.
  [[nodiscard]] std::vector<std::size_t> at(std::uint64_t address) const;

 private:
  struct One {
    std::uint64_t low, high;
    std::uint64_t highest;  // of this one and all before it
    std::size_t number;
  };
  std::vector<One> all_;
};

class DwarfUnits {
 public:
  // Borrows `dwarf`.  One thread.
  explicit DwarfUnits(Dwarf* dwarf) : dwarf_(dwarf) {}

  // The function whose code holds `address`; of several the one that begins there.
  [[nodiscard]] const DwarfFunction* function_at(LinkAddress address);
  // The entry's name with the namespaces, classes and modules around it: "shop::Cart".  Unnamed namespaces are left
  // out.  Empty if it has no name.
  [[nodiscard]] std::string qualified_name(Dwarf_Die die);
  // Copies of the function that were inlined in its own unit.
  [[nodiscard]] std::uint32_t inlined_copies(Dwarf_Die function);
  // Entries read in search of functions so far.
  [[nodiscard]] std::size_t looks() const { return looks_; }
  // The unit entries of the file, type units among them, as far as limits::debug_units allows.
  [[nodiscard]] const std::vector<Dwarf_Die>& all();

 private:
  using Copies = std::unordered_map<const void*, std::uint32_t>;  // by the abstract instance

  struct Functions {
    std::vector<DwarfFunction> all;
    Stretches stretches;  // number: index in `all`
  };

  void read_units();
  [[nodiscard]] const Functions& functions_of(std::size_t unit);
  void find_functions(Dwarf_Die parent, int depth, std::vector<DwarfFunction>& found, std::size_t& looks) const;
  [[nodiscard]] const std::vector<Dwarf_Die>& children_of(Dwarf_Die parent);
  void count_copies(Dwarf_Die parent, int depth, Copies& found, std::size_t& looks) const;

  Dwarf* dwarf_;
  bool read_ = false;
  std::size_t looks_ = 0;
  std::vector<Dwarf_Die> all_;
  Stretches covered_;  // number: index in all_
  std::unordered_map<std::size_t, Functions> functions_;
  std::unordered_map<const void*, Copies> copies_;  // by unit
  std::unordered_map<const void*, std::vector<Dwarf_Die>> children_;
  std::size_t children_looks_ = 0;
};

}  // namespace diagnose::target
