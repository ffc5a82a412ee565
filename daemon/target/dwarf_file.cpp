#include "target/dwarf_file.h"

#include <array>
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "target/debug_link.h"

namespace diagnose::target {
namespace {

// Of a large program a question needs a small part: what is mapped is brought in as it is touched, where reading copies
// tens of megabytes first.  A file that shrinks meanwhile is the end of this reader, which is an error on the question.
Elf_Cmd way_to_read(int fd) {
  struct stat status {};
  const bool mapped =
      ::fstat(fd, &status) == 0 && static_cast<std::uint64_t>(status.st_size) <= limits::debug_mapped_bytes;
  return mapped ? ELF_C_READ_MMAP : ELF_C_READ;
}

bool has_units(Dwarf* dwarf) {
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  return ::dwarf_get_units(dwarf, nullptr, &unit, nullptr, nullptr, &die, nullptr) == 0;
}

}  // namespace

std::string build_id_of(Elf* elf) {
  const void* bytes = nullptr;
  const ssize_t size = ::dwelf_elf_gnu_build_id(elf, &bytes);
  std::string text;
  for (ssize_t at = 0; at < size; ++at) {
    constexpr std::array<char, 17> digits = {"0123456789abcdef"};
    const auto byte = static_cast<const unsigned char*>(bytes)[at];
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

bool belongs_to(Elf* elf, int fd, const std::string& build_id, std::optional<std::uint32_t> crc32) {
  if (!build_id.empty()) return build_id_of(elf) == build_id;
  return crc32 && crc32_of(fd, limits::debug_file_bytes) == crc32;
}

void DwarfFile::Close::operator()(Elf* elf) const {
  ::elf_end(elf);
}

void DwarfFile::Close::operator()(Dwarf* dwarf) const {
  ::dwarf_end(dwarf);
}

std::optional<DwarfFile> DwarfFile::open(int fd, const std::vector<int>& debug_fds, const std::string& build_id,
                                         std::optional<std::uint32_t> crc32) {
  ::elf_version(EV_CURRENT);
  const auto usable = [&](int one, int from) -> std::optional<DwarfFile> {
    DwarfFile file;
    file.from_ = from;
    file.elf_.reset(::elf_begin(one, way_to_read(one), nullptr));
    if (!file.elf_) return std::nullopt;
    file.dwarf_.reset(::dwarf_begin_elf(file.elf_.get(), DWARF_C_READ, nullptr));
    if (!file.dwarf_ || !has_units(file.dwarf_.get())) return std::nullopt;
    if (from >= 0 && !belongs_to(file.elf_.get(), one, build_id, crc32)) return std::nullopt;
    return file;
  };
  if (auto own = usable(fd, -1)) return own;
  for (std::size_t at = 0; at < debug_fds.size(); ++at) {
    if (auto other = usable(debug_fds[at], static_cast<int>(at))) return other;
  }
  return std::nullopt;
}

std::optional<DwarfFile> DwarfFile::open(const ElfImage& image, int fd, const std::vector<int>& debug_fds) {
  const auto link = debug_link(image);
  return open(fd, debug_fds, image.build_id(), link ? std::optional(link->crc32) : std::nullopt);
}

}  // namespace diagnose::target
