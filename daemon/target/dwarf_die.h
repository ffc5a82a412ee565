// Short words for what libdw says of one debugging information entry (DIE; DWARF 5, chapter 2).  Nothing here owns
// anything: entries live as long as the Dwarf handle they came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <iterator>
#include <optional>
#include <string>

namespace diagnose::target {

[[nodiscard]] int tag_of(Dwarf_Die die);
// Identity: entries of one file are equal if they stand at the same place.
[[nodiscard]] inline const void* identity(const Dwarf_Die& die) {
  return die.addr;
}

// The attribute itself, or that of the entry's abstract origin or specification.
[[nodiscard]] std::optional<Dwarf_Attribute> attribute(Dwarf_Die die, unsigned name);
// The entry's own, or nothing.
[[nodiscard]] std::optional<Dwarf_Attribute> own_attribute(Dwarf_Die die, unsigned name);
[[nodiscard]] bool has(Dwarf_Die die, unsigned name);   // own
[[nodiscard]] bool flag(Dwarf_Die die, unsigned name);  // with origins
[[nodiscard]] std::optional<std::uint64_t> number(Dwarf_Die die, unsigned name);
[[nodiscard]] std::optional<std::int64_t> signed_number(Dwarf_Die die, unsigned name);
[[nodiscard]] std::string text(Dwarf_Die die, unsigned name);  // with origins; empty if there is none
[[nodiscard]] std::string name_of(Dwarf_Die die);
[[nodiscard]] std::optional<Dwarf_Die> reference(Dwarf_Die die, unsigned name);  // own
// DW_AT_type, with origins; nothing is void.
[[nodiscard]] std::optional<Dwarf_Die> type_of(Dwarf_Die die);
// Through typedefs and qualifiers.  Nothing: void, or a chain that does not end.
[[nodiscard]] std::optional<Dwarf_Die> without_typedefs(std::optional<Dwarf_Die> type);
// The type that stands in a type unit in the place of `type` (DWARF 5, 5.7.1, DW_AT_signature); else `type`.
[[nodiscard]] Dwarf_Die in_type_unit(Dwarf_Die type);
// The entry at the end of abstract origins and specifications; `die` itself if it has none.
[[nodiscard]] Dwarf_Die origin_of(Dwarf_Die die);

[[nodiscard]] bool is_record(Dwarf_Die die);  // struct, class, union
// The unit that the entry stands in.
[[nodiscard]] std::optional<Dwarf_Die> unit_of(Dwarf_Die die);
// The unit that its source stands in: link-time optimisation puts code into units of their own, whose entries refer to
// those of the sources' units (GCC: "GNU GIMPLE").
[[nodiscard]] inline std::optional<Dwarf_Die> source_unit_of(Dwarf_Die die) {
  return unit_of(origin_of(die));
}
// DW_LANG_ number of its source's unit; 0: none told.
[[nodiscard]] int language_of(Dwarf_Die die);
[[nodiscard]] bool is_cpp(int language);
[[nodiscard]] bool is_c(int language);
inline constexpr int language_go = 0x16;
inline constexpr int language_rust = 0x1c;

// Bytes of a value of the type; nothing if that is not known (a declaration, an array without bound).
[[nodiscard]] std::optional<std::uint64_t> bytes_of(std::optional<Dwarf_Die> type);
// Elements of one dimension (DW_TAG_subrange_type); nothing if that is not a constant.
[[nodiscard]] std::optional<std::uint64_t> count_of(Dwarf_Die subrange);

// Where a member or a base class begins, bytes from the start of its record; nothing: it has no fixed place (a virtual
// base, a static member).
[[nodiscard]] std::optional<std::uint64_t> member_offset(Dwarf_Die member, bool in_union);

// The children of an entry, in their order.  Ends where the file lies.
class Children {
 public:
  class Iterator {
   public:
    using value_type = Dwarf_Die;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(Dwarf_Die parent);
    const Dwarf_Die& operator*() const { return die_; }
    const Dwarf_Die* operator->() const { return &die_; }
    Iterator& operator++();
    bool operator==(std::default_sentinel_t) const { return ended_; }

   private:
    Dwarf_Die die_{};
    bool ended_ = true;
  };
  explicit Children(Dwarf_Die parent) : parent_(parent) {}
  [[nodiscard]] Iterator begin() const { return Iterator(parent_); }
  [[nodiscard]] static std::default_sentinel_t end() { return {}; }

 private:
  Dwarf_Die parent_;
};

}  // namespace diagnose::target
