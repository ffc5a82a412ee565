#include "target/imports.h"

#include <cstring>
#include <elf.h>

namespace diagnose::target {
namespace {

// The largest libraries known have some 10 MB of each.
constexpr std::uint64_t table_bytes_max = 128U << 20U;
constexpr std::size_t relocation_sections_max = 16;  // linkers make two

// The `index`th T of a table; the caller has held the index against the table's size.
template <typename T>
T entry(const std::vector<std::uint8_t>& table, std::size_t index) {
  T found{};
  std::memcpy(&found, table.data() + index * sizeof(T), sizeof(T));
  return found;
}

}  // namespace

std::string_view Imports::text_at(std::uint64_t at) const {
  if (at >= strings_.size()) return {};
  return reinterpret_cast<const char*>(strings_.data()) + at;
}

Result<Imports> Imports::read(const ElfImage& image) {
  Imports imports;
  const Section* table = image.section(std::uint32_t{SHT_DYNSYM});
  if (table == nullptr) return imports;
  if (auto got = imports.read_symbols(image, *table); !got) return failure(got.error());
  if (auto got = imports.read_slots(image); !got) return failure(got.error());
  if (auto got = imports.read_soname(image); !got) return failure(got.error());
  return imports;
}

Status Imports::read_symbols(const ElfImage& image, const Section& table) {
  if (table.link >= image.sections().size()) return {};  // ElfImage::open() has refused it
  auto strings = image.contents(image.sections()[table.link], table_bytes_max);
  if (!strings) return failure(strings.error());
  auto symbols = image.contents(table, table_bytes_max);
  if (!symbols) return failure(symbols.error());
  strings_ = std::move(*strings);
  strings_.push_back(0);
  const std::size_t count = symbols->size() / sizeof(Elf64_Sym);
  symbol_text_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto symbol = entry<Elf64_Sym>(*symbols, i);
    symbol_text_.push_back(symbol.st_name);
    const std::string_view name = text_at(symbol.st_name);
    if (symbol.st_shndx == SHN_UNDEF && !name.empty()) names_.push_back(name);
  }
  return {};
}

Status Imports::read_slots(const ElfImage& image) {
  std::size_t tables = 0;
  for (const Section& section : image.sections()) {
    if (section.type != SHT_RELA || section.entry_size != sizeof(Elf64_Rela)) continue;
    if (section.link >= image.sections().size() || image.sections()[section.link].type != SHT_DYNSYM) continue;
    if (++tables > relocation_sections_max) break;
    const auto bytes = image.contents(section, table_bytes_max);
    if (!bytes) return failure(bytes.error());
    for (std::size_t i = 0; i < bytes->size() / sizeof(Elf64_Rela); ++i) {
      const auto relocation = entry<Elf64_Rela>(*bytes, i);
      const auto type = ELF64_R_TYPE(relocation.r_info);
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
      const std::uint64_t symbol = ELF64_R_SYM(relocation.r_info);
      if (symbol >= symbol_text_.size()) continue;
      const std::string_view name = text_at(symbol_text_[symbol]);
      if (!name.empty()) slots_.push_back({LinkAddress{relocation.r_offset}, name});
    }
  }
  return {};
}

Status Imports::read_soname(const ElfImage& image) {
  const Section* dynamic = image.section(std::uint32_t{SHT_DYNAMIC});
  if (dynamic == nullptr || dynamic->type == SHT_NOBITS) return {};
  const auto bytes = image.contents(*dynamic, table_bytes_max);
  if (!bytes) return failure(bytes.error());
  for (std::size_t i = 0; i < bytes->size() / sizeof(Elf64_Dyn); ++i) {
    const auto tag = entry<Elf64_Dyn>(*bytes, i);
    if (tag.d_tag == DT_NULL) break;
    if (tag.d_tag == DT_SONAME) soname_ = text_at(tag.d_un.d_val);
  }
  return {};
}

}  // namespace diagnose::target
