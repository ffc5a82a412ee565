// What a file wants from other modules, and the slots through which it reaches them (ELF gABI, "Dynamic Linking").
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "target/elf_image.h"

namespace diagnose::target {

// A word of the GOT that the dynamic linker fills with the address of `symbol` (R_X86_64_JUMP_SLOT, R_X86_64_GLOB_DAT).
// The symbol may be the file's own: then another module may come before it.
struct Slot {
  LinkAddress address{};
  std::string_view symbol;
};

class Imports {
 public:
  // Fails for tables that are truncated, lie or are larger than any known program's.  A file without dynamic symbols
  // imports nothing.
  [[nodiscard]] static Result<Imports> read(const ElfImage& image);

  Imports(Imports&&) = default;
  Imports& operator=(Imports&&) = default;
  Imports(const Imports&) = delete;  // its names view its own strings
  Imports& operator=(const Imports&) = delete;
  ~Imports() = default;

  [[nodiscard]] const std::vector<std::string_view>& names() const { return names_; }  // of undefined symbols
  [[nodiscard]] const std::vector<Slot>& slots() const { return slots_; }
  [[nodiscard]] std::string_view soname() const { return soname_; }  // empty if it has none

 private:
  Imports() = default;
  [[nodiscard]] std::string_view text_at(std::uint64_t at) const;
  [[nodiscard]] Status read_symbols(const ElfImage& image, const Section& table);
  [[nodiscard]] Status read_slots(const ElfImage& image);
  [[nodiscard]] Status read_soname(const ElfImage& image);

  std::vector<std::uint8_t> strings_;       // .dynstr with a NUL of our own behind it
  std::vector<std::uint32_t> symbol_text_;  // of each dynamic symbol: where its name begins in strings_
  std::vector<std::string_view> names_;
  std::vector<Slot> slots_;
  std::string_view soname_;
};

}  // namespace diagnose::target
