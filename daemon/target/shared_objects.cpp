#include "target/shared_objects.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <string_view>

namespace diagnose::target {
namespace {

constexpr std::uint64_t table_bytes_max = 128U << 20U;  // as imports.cpp's

}  // namespace

Result<std::vector<SharedObject>> find_shared_objects(const ElfImage& image, const std::vector<std::string>& symbols) {
  std::vector<SharedObject> found;
  const Section* table = image.section(std::uint32_t{SHT_DYNSYM});
  if (symbols.empty() || table == nullptr || table->link >= image.sections().size()) return found;
  auto strings = image.contents(image.sections()[table->link], table_bytes_max);
  if (!strings) return failure(strings.error());
  const auto entries = image.contents(*table, table_bytes_max);
  if (!entries) return failure(entries.error());
  strings->push_back(0);
  for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= entries->size(); at += sizeof(Elf64_Sym)) {
    Elf64_Sym entry{};
    std::memcpy(&entry, entries->data() + at, sizeof(entry));
    const bool is_data = ELF64_ST_TYPE(entry.st_info) == STT_OBJECT;
    if (!is_data || entry.st_shndx == SHN_UNDEF || entry.st_name >= strings->size()) continue;
    const std::string_view name = reinterpret_cast<const char*>(strings->data()) + entry.st_name;
    const bool wanted = std::find(symbols.begin(), symbols.end(), name) != symbols.end();
    if (wanted && found.size() < symbols.size()) found.push_back({std::string(name), LinkAddress{entry.st_value}});
  }
  return found;
}

}  // namespace diagnose::target
