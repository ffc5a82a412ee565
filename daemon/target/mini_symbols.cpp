#include "target/mini_symbols.h"

#include <algorithm>
#include <cstddef>
#include <gelf.h>
#include <lzma.h>
#include <memory>

#include "base/limits.h"
#include "target/dwarf_file.h"

namespace diagnose::target {
namespace {

// Nothing for what is no xz stream, or too large.
std::vector<char> unpack(std::span<const std::uint8_t> packed) {
  constexpr std::uint64_t decoder_bytes_max = 256U << 20U;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (::lzma_stream_decoder(&stream, decoder_bytes_max, 0) != LZMA_OK) return {};
  const std::unique_ptr<lzma_stream, decltype(&::lzma_end)> owned(&stream, &::lzma_end);
  std::vector<char> bytes;
  stream.next_in = packed.data();
  stream.avail_in = packed.size();
  lzma_ret got = LZMA_OK;
  while (got == LZMA_OK) {
    constexpr std::size_t step = 1U << 20U;
    if (bytes.size() >= limits::mini_symbols_bytes) return {};
    const std::size_t before = bytes.size();
    bytes.resize(before + step);
    stream.next_out = reinterpret_cast<std::uint8_t*>(bytes.data() + before);
    stream.avail_out = step;
    got = ::lzma_code(&stream, LZMA_FINISH);
    bytes.resize(before + step - stream.avail_out);
  }
  if (got != LZMA_STREAM_END) return {};
  return bytes;
}

std::vector<MiniSymbol> functions_of(Elf* elf) {
  std::vector<MiniSymbol> symbols;
  for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header{};
    if (::gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB) continue;
    Elf_Data* data = ::elf_getdata(section, nullptr);
    GElf_Sym symbol{};
    for (int at = 0; data != nullptr && ::gelf_getsym(data, at, &symbol) != nullptr; ++at) {
      const unsigned type = GELF_ST_TYPE(symbol.st_info);
      if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF) continue;
      const char* name = ::elf_strptr(elf, header.sh_link, symbol.st_name);
      if (name == nullptr || *name == '\0') continue;
      symbols.push_back({name, LinkAddress{symbol.st_value}, symbol.st_size, type == STT_GNU_IFUNC,
                         GELF_ST_BIND(symbol.st_info) != STB_LOCAL});
    }
    break;  // the gABI allows one
  }
  return symbols;
}

}  // namespace

std::vector<MiniSymbol> mini_symbols(std::span<const std::uint8_t> packed) {
  std::vector<char> bytes = unpack(packed);
  if (bytes.empty() || ::elf_version(EV_CURRENT) == EV_NONE) return {};
  const std::unique_ptr<Elf, decltype(&::elf_end)> elf(::elf_memory(bytes.data(), bytes.size()), &::elf_end);
  if (!elf || ::elf_kind(elf.get()) != ELF_K_ELF) return {};
  return functions_of(elf.get());
}

std::vector<MiniSymbol> debug_symbols(int fd, const std::string& build_id, std::optional<std::uint32_t> crc32) {
  if (::elf_version(EV_CURRENT) == EV_NONE) return {};
  const std::unique_ptr<Elf, decltype(&::elf_end)> elf(::elf_begin(fd, ELF_C_READ, nullptr), &::elf_end);
  if (!elf || ::elf_kind(elf.get()) != ELF_K_ELF || !belongs_to(elf.get(), fd, build_id, crc32)) return {};
  return functions_of(elf.get());
}

}  // namespace diagnose::target
