#include "target/identify.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <memory>
#include <string_view>

#include "base/limits.h"
#include "target/dwarf_die.h"
#include "target/dwarf_file.h"
#include "target/dwarf_units.h"

namespace diagnose::target {
namespace {

struct Sections {
  bool dwarf = false;
  bool symbols = false;
  bool addresses = false;  // .debug_addr, which split debug information takes its addresses from
};

Sections sections_of(Elf* elf) {
  Sections found;
  std::size_t names = 0;
  if (::elf_getshdrstrndx(elf, &names) != 0) return found;
  for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header{};
    if (::gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    const char* text = ::elf_strptr(elf, names, header.sh_name);
    const std::string_view name = text != nullptr ? text : "";
    if (name == ".debug_info" || name == ".zdebug_info") found.dwarf = header.sh_size > 0;
    if (name == ".debug_addr" || name == ".zdebug_addr") found.addresses = true;
    if (header.sh_type == SHT_SYMTAB) found.symbols = true;
  }
  return found;
}

std::vector<Identity::Unit> split_units(const DwarfFile& file) {
  std::vector<Identity::Unit> units;
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  std::uint8_t type = 0;
  for (std::size_t count = 0; count < limits::debug_units; ++count) {
    // Without asking for the other half, which would be looked for.
    if (::dwarf_get_units(file.get(), unit, &unit, nullptr, &type, &die, nullptr) != 0) break;
    if (type != DW_UT_skeleton) continue;
    std::string path = text(die, DW_AT_dwo_name);
    if (path.empty()) path = text(die, DW_AT_GNU_dwo_name);
    if (!path.empty()) units.push_back({text(die, DW_AT_comp_dir), std::move(path), ranges_of(die)});
  }
  return units;
}

}  // namespace

Identity identify_file(int fd) {
  ::elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, decltype(&::elf_end)> elf(::elf_begin(fd, ELF_C_READ, nullptr), &::elf_end);
  Identity identity;
  if (!elf || ::elf_kind(elf.get()) != ELF_K_ELF) return identity;
  identity.build_id = build_id_of(elf.get());
  GElf_Word checksum = 0;
  if (const char* link = ::dwelf_elf_gnu_debuglink(elf.get(), &checksum)) identity.debuglink = link;
  const Sections sections = sections_of(elf.get());
  identity.dwarf = sections.dwarf;
  identity.symbols = sections.symbols;
  if (!sections.dwarf || !sections.addresses) return identity;
  if (const auto file = DwarfFile::open(fd, {}, "")) identity.split = split_units(*file);
  return identity;
}

}  // namespace diagnose::target
