#include "target/elf_image.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "target/debug_link.h"

namespace diagnose::target {
namespace {

// The largest programs known have some 200 MB of symbol names; beyond this a file is hostile.
constexpr std::uint64_t table_bytes_max = 512U << 20U;
constexpr std::size_t symbol_name_bytes_max = 64U << 10U;  // of one that is read by itself; the rest is cut off
constexpr std::uint64_t note_bytes_max = 1U << 20U;
constexpr std::uint32_t header_count_max = 1U << 20U;
constexpr std::size_t code_segments_max = 256;  // linkers make one to three; each symbol is looked up in all of them
constexpr std::size_t notes_max = 16;
constexpr std::uint64_t section_names_bytes_max = 16U << 20U;
constexpr std::string_view digits = "0123456789abcdef";

}  // namespace

std::string hex(std::uint64_t number) {
  std::string text;
  do {
    text.insert(text.begin(), digits[number & 15U]);
    number >>= 4U;
  } while (number != 0);
  return "0x" + text;
}

Error ElfImage::lie(std::string why) const {
  return Error{.what = "read the symbols",
               .where = name_,
               .why = std::move(why),
               .mend = "check that the file is a whole x86-64 program or library"};
}

Status ElfImage::read_at(std::uint64_t offset, void* out, std::size_t size, const char* part) const {
  if (offset > file_size_ || size > file_size_ - offset) {
    return failure(lie("truncated: its " + std::string(part) + " should have " + std::to_string(size) +
                       " bytes at byte " + std::to_string(offset) + ", the file has " + std::to_string(file_size_)));
  }
  auto* to = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = ::pread(fd_, to, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(lie("cannot read its " + std::string(part) + ": " + errno_text(errno)));
    if (got == 0) return failure(lie("its " + std::string(part) + " was cut off while we read it"));
    to += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<ElfImage> ElfImage::open(int fd, std::string name) {
  auto image = open_without_symbols(fd, std::move(name));
  if (!image) return image;
  if (auto read = image->read_all_symbols(std::nullopt); !read) return failure(read.error());
  return image;
}

Status ElfImage::read_symbols_at(std::span<const LinkAddress> addresses) {
  return read_all_symbols(addresses);
}

Result<ElfImage> ElfImage::open_without_symbols(int fd, std::string name) {
  ElfImage image(fd, std::move(name));
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failure(image.lie(errno_text(errno)));
  if (!S_ISREG(status.st_mode)) return failure(image.lie("not a regular file"));
  image.file_size_ = static_cast<std::uint64_t>(status.st_size);
  if (auto read = image.read_headers(); !read) return failure(read.error());
  image.stripped_ = image.section(std::uint32_t{SHT_SYMTAB}) == nullptr;
  return image;
}

Status ElfImage::read_all_symbols(const std::optional<Wanted>& wanted) {
  for (const std::uint32_t type : {std::uint32_t{SHT_SYMTAB}, std::uint32_t{SHT_DYNSYM}}) {
    // The gABI allows one of each; a file with thousands wants us to read the same bytes for ever.
    const Section* table = section(type);
    if (table == nullptr) continue;
    if (auto read = read_symbols(*table, wanted); !read) return read;
  }
  if (stripped_) read_mini_symbols();
  return {};
}

Status ElfImage::read_headers() {
  Elf64_Ehdr header{};
  if (file_size_ < sizeof header) return failure(lie("not an ELF file: too short"));
  if (auto read = read_at(0, &header, sizeof header, "header"); !read) return read;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return failure(lie("not an ELF file"));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return failure(lie("not for x86-64: this version probes 64-bit little-endian x86 code only"));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return failure(lie("neither an executable nor a shared object (an object file or a core dump)"));
  }
  std::uint32_t segments = header.e_phnum;
  std::uint64_t sections = header.e_shnum;
  if (header.e_shoff != 0) {
    if (header.e_shentsize != sizeof(Elf64_Shdr)) return failure(lie("its section headers have a strange size"));
    // Counts that do not fit the header stand in section 0 (ELF gABI, "ELF Header", e_shnum and e_phnum).
    if (sections == 0 || segments == PN_XNUM) {
      Elf64_Shdr first{};
      if (auto read = read_at(header.e_shoff, &first, sizeof first, "section header table"); !read) return read;
      if (sections == 0) sections = first.sh_size;
      if (segments == PN_XNUM) segments = first.sh_info;
    }
  } else {
    sections = 0;
  }
  if (segments > header_count_max || sections > header_count_max) return failure(lie("it claims a million headers"));
  if (segments > 0 && header.e_phentsize != sizeof(Elf64_Phdr)) {
    return failure(lie("its program headers have a strange size"));
  }
  if (auto read = read_sections(header.e_shoff, static_cast<std::uint32_t>(sections), header.e_shstrndx); !read)
    return read;
  return read_segments(header.e_phoff, segments);
}

Status ElfImage::read_segments(std::uint64_t offset, std::uint32_t count) {
  if (count > file_size_ / sizeof(Elf64_Phdr)) return failure(lie("truncated: it has more program headers than bytes"));
  std::vector<Elf64_Phdr> headers(count);
  if (auto read = read_at(offset, headers.data(), count * sizeof(Elf64_Phdr), "program header table"); !read)
    return read;
  std::size_t notes = 0;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0) {
      if (header.p_offset > file_size_ || header.p_filesz > file_size_ - header.p_offset) {
        return failure(lie("truncated: its code lies beyond the end of the file"));
      }
      if (header.p_vaddr + header.p_filesz < header.p_vaddr) return failure(lie("its code wraps round address 0"));
      if (code_segments_.size() == code_segments_max) return failure(lie("it has hundreds of executable segments"));
      code_segments_.push_back({header.p_vaddr, header.p_offset, header.p_filesz});
    }
    const bool whole = header.p_offset <= file_size_ && header.p_filesz <= file_size_ - header.p_offset;
    if (header.p_type == PT_LOAD && (header.p_flags & PF_W) != 0 && whole &&
        data_segments_.size() < code_segments_max) {
      data_segments_.push_back({header.p_vaddr, header.p_offset, header.p_filesz});
    }
    if (header.p_type == PT_NOTE && build_id_.empty() && ++notes <= notes_max) {
      if (auto read = read_build_id(header.p_offset, header.p_filesz); !read) return read;
    }
  }
  return {};
}

Status ElfImage::read_sections(std::uint64_t offset, std::uint32_t count, std::uint32_t names) {
  if (count > file_size_ / sizeof(Elf64_Shdr)) return failure(lie("truncated: it has more section headers than bytes"));
  std::vector<Elf64_Shdr> headers(count);
  if (auto read = read_at(offset, headers.data(), count * sizeof(Elf64_Shdr), "section header table"); !read)
    return read;
  sections_.reserve(count);
  for (const Elf64_Shdr& header : headers) {
    sections_.push_back({.name = {},
                         .type = header.sh_type,
                         .link = header.sh_link,
                         .executable = (header.sh_flags & SHF_EXECINSTR) != 0,
                         .address = header.sh_addr,
                         .offset = header.sh_offset,
                         .size = header.sh_size,
                         .entry_size = header.sh_entsize});
  }
  read_section_names(names);
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    if (headers[i].sh_name < section_names_.size()) sections_[i].name = section_names_.data() + headers[i].sh_name;
  }
  return {};
}

// Sections without names are sections all the same: the loader wants neither.
void ElfImage::read_section_names(std::uint32_t index) {
  if (index == SHN_XINDEX && !sections_.empty()) index = sections_.front().link;  // ELF gABI, "ELF Header", e_shstrndx
  if (index == SHN_UNDEF || index >= sections_.size() || sections_[index].type != SHT_STRTAB) return;
  const Section& table = sections_[index];
  if (table.size > section_names_bytes_max || table.size > file_size_) return;
  std::vector<char> names(table.size + 1, '\0');
  if (read_at(table.offset, names.data(), table.size, "section names")) section_names_ = std::move(names);
}

const Section* ElfImage::section(std::string_view name) const {
  const auto found =
      std::find_if(sections_.begin(), sections_.end(), [&](const Section& section) { return section.name == name; });
  return found == sections_.end() ? nullptr : &*found;
}

const Section* ElfImage::section(std::uint32_t type) const {
  const auto found =
      std::find_if(sections_.begin(), sections_.end(), [&](const Section& section) { return section.type == type; });
  return found == sections_.end() ? nullptr : &*found;
}

Result<std::vector<std::uint8_t>> ElfImage::contents(const Section& section, std::uint64_t bytes_max) const {
  const std::string name(section.name.empty() ? "section" : section.name);
  if (section.type == SHT_NOBITS) return failure(lie("its " + name + " has no bytes in the file"));
  if (section.size > bytes_max) {
    return failure(lie("its " + name + " is larger than " + std::to_string(bytes_max >> 20U) + " MiB"));
  }
  if (section.size > file_size_) return failure(lie("truncated: its " + name + " lies beyond the end of the file"));
  std::vector<std::uint8_t> bytes(section.size);
  if (auto got = read_at(section.offset, bytes.data(), bytes.size(), name.c_str()); !got) return failure(got.error());
  return bytes;
}

Status ElfImage::read(FileOffset offset, std::span<std::uint8_t> out) const {
  return read_at(raw(offset), out.data(), out.size(), "code");
}

Status ElfImage::read_symbols(const Section& table, const std::optional<Wanted>& wanted) {
  if (table.entry_size != sizeof(Elf64_Sym)) return failure(lie("its symbols have a strange size"));
  if (table.link >= sections_.size() || sections_[table.link].type != SHT_STRTAB) {
    return failure(lie("its symbol table names no string table"));
  }
  const Section& names = sections_[table.link];
  if (table.size > table_bytes_max || names.size > table_bytes_max) {
    return failure(lie("its symbol table is larger than " + std::to_string(table_bytes_max >> 20U) + " MiB"));
  }
  if (table.size > file_size_ || names.size > file_size_) {
    return failure(lie("truncated: its symbols lie beyond the end of the file"));
  }
  std::vector<Elf64_Sym> entries(table.size / sizeof(Elf64_Sym));
  if (auto read = read_at(table.offset, entries.data(), entries.size() * sizeof(Elf64_Sym), "symbol table"); !read) {
    return read;
  }
  const auto is_wanted = [&](const Elf64_Sym& entry) {
    const unsigned type = ELF64_ST_TYPE(entry.st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || entry.st_shndx == SHN_UNDEF) return false;
    return !wanted || std::binary_search(wanted->begin(), wanted->end(), LinkAddress{entry.st_value});
  };
  const auto lies_beyond = [&](const Elf64_Sym& entry) { return entry.st_name > names.size; };
  std::erase_if(entries, [&](const Elf64_Sym& entry) { return !is_wanted(entry); });
  if (std::any_of(entries.begin(), entries.end(), lies_beyond)) {
    return failure(lie("a symbol's name lies beyond its string table"));
  }
  if (wanted) {
    for (const Elf64_Sym& entry : entries) {
      auto name = read_name(names, entry.st_name);
      if (!name) return failure(name.error());
      strings_.push_back(std::move(*name));
      add_symbol(strings_.back().data(), entry);
    }
    return {};
  }
  std::vector<char> strings(names.size + 1);
  if (auto read = read_at(names.offset, strings.data(), names.size, "string table"); !read) return read;
  strings.back() = '\0';
  strings_.push_back(std::move(strings));
  const char* const first = strings_.back().data();
  for (const Elf64_Sym& entry : entries) add_symbol(first + entry.st_name, entry);
  return {};
}

void ElfImage::add_symbol(std::string_view name, const Elf64_Sym& entry) {
  if (const auto at = name.find('@', 1); at != std::string_view::npos) name = name.substr(0, at);
  if (name.empty()) return;
  symbols_.push_back({name, LinkAddress{entry.st_value}, entry.st_size,
                      entry.st_shndx < SHN_LORESERVE ? std::uint32_t{entry.st_shndx} : 0U,
                      ELF64_ST_TYPE(entry.st_info) == STT_GNU_IFUNC, ELF64_ST_BIND(entry.st_info) != STB_LOCAL});
}

// One name of a string table, read by itself; with its NUL.
Result<std::vector<char>> ElfImage::read_name(const Section& names, std::uint64_t at) const {
  constexpr std::uint64_t step = 256;
  std::vector<char> name;
  bool ended = false;
  while (!ended && name.size() < symbol_name_bytes_max) {
    const std::size_t known = name.size();
    const std::uint64_t more = std::min(step, names.size - std::min(names.size, at + known));
    if (more == 0) break;
    name.resize(known + more);
    if (auto read = read_at(names.offset + at + known, name.data() + known, more, "string table"); !read) {
      return failure(read.error());
    }
    ended = std::find(name.begin() + static_cast<std::ptrdiff_t>(known), name.end(), '\0') != name.end();
  }
  name.push_back('\0');
  return name;
}

void ElfImage::read_mini_symbols() {
  const Section* packed = section(".gnu_debugdata");
  if (packed == nullptr) return;
  const auto bytes = contents(*packed, limits::mini_symbols_bytes);
  if (!bytes) return;
  take(mini_symbols(*bytes));
}

void ElfImage::add_debug_symbols(const std::vector<int>& debug_fds) {
  if (!stripped_ || debug_fds.empty()) return;
  const auto link = debug_link(*this);
  for (const int fd : debug_fds) {
    const auto found = debug_symbols(fd, build_id_, link ? std::optional(link->crc32) : std::nullopt);
    if (found.empty()) continue;
    take(found);
    stripped_ = false;
    return;
  }
}

void ElfImage::take(const std::vector<MiniSymbol>& found) {
  std::size_t characters = 0;
  for (const MiniSymbol& symbol : found) characters += symbol.name.size() + 1;
  std::vector<char>& kept = strings_.emplace_back();
  kept.reserve(characters);  // the names must not move
  for (const MiniSymbol& symbol : found) {
    const char* name = kept.data() + kept.size();
    kept.insert(kept.end(), symbol.name.c_str(), symbol.name.c_str() + symbol.name.size() + 1);
    symbols_.push_back(
        {std::string_view(name, symbol.name.size()), symbol.address, symbol.size, 0, symbol.ifunc, symbol.global});
  }
}

Status ElfImage::read_build_id(std::uint64_t offset, std::uint64_t size) {
  if (size > note_bytes_max) return {};  // notes that large are not a linker's; the file may do without a build id
  std::vector<char> notes(size);
  if (auto read = read_at(offset, notes.data(), notes.size(), "notes"); !read) return read;
  std::size_t at = 0;
  while (notes.size() - at >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note{};
    std::memcpy(&note, notes.data() + at, sizeof note);
    at += sizeof note;
    const std::uint64_t name_bytes = (std::uint64_t{note.n_namesz} + 3U) & ~std::uint64_t{3};
    const std::uint64_t text_bytes = (std::uint64_t{note.n_descsz} + 3U) & ~std::uint64_t{3};
    if (name_bytes > notes.size() - at || text_bytes > notes.size() - at - name_bytes) return {};
    const bool gnu = note.n_namesz == 4 && std::memcmp(notes.data() + at, "GNU", 4) == 0;
    at += name_bytes;
    if (gnu && note.n_type == NT_GNU_BUILD_ID) {
      for (std::size_t i = 0; i < note.n_descsz; ++i) {
        const auto byte = static_cast<unsigned char>(notes[at + i]);
        build_id_ += digits[byte >> 4U];
        build_id_ += digits[byte & 15U];
      }
      return {};
    }
    at += text_bytes;
  }
  return {};
}

std::optional<std::string> ElfImage::refusal(const Symbol& symbol) const {
  if (symbol.ifunc) return "an ifunc resolver: it runs once and returns the function that is called from then on";
  if (symbol.size == 0) return "its symbol has no size, so where it ends is not known";
  if (symbol.size > limits::function_bytes) {
    return "its symbol claims " + std::to_string(symbol.size) + " bytes, no function has more than " +
           std::to_string(limits::function_bytes);
  }
  const std::uint64_t low = raw(symbol.address);
  const auto holds = [&](std::uint64_t start, std::uint64_t size) {
    return low >= start && low - start < size && symbol.size <= size - (low - start);
  };
  if (std::none_of(code_segments_.begin(), code_segments_.end(),
                   [&](const Segment& segment) { return holds(segment.address, segment.size); })) {
    return "it lies outside of the executable part of the file";
  }
  if (symbol.section != 0) {
    if (symbol.section >= sections_.size()) return "its symbol names a section that is not there";
    const Section& section = sections_[symbol.section];
    if (!section.executable || section.type != SHT_PROGBITS || !holds(section.address, section.size)) {
      return "it lies outside of the code of its section";
    }
    if (section.name.starts_with(".plt"))
      return "a stub of the linker, which calls of other modules' functions go through";
  }
  return std::nullopt;
}

std::vector<std::string_view> ElfImage::implementations(const Symbol& ifunc, std::size_t most) const {
  const auto stem = [](std::string_view name) {
    return name.substr(std::min(name.find_first_not_of('_'), name.size()));
  };
  const std::string wanted = std::string(stem(ifunc.name)) + "_";
  std::vector<std::string_view> found;
  for (const Symbol& symbol : symbols_) {
    if (found.size() == most) break;
    const bool known = std::find(found.begin(), found.end(), symbol.name) != found.end();
    if (!known && !symbol.ifunc && stem(symbol.name).starts_with(wanted) && !refusal(symbol))
      found.push_back(symbol.name);
  }
  return found;
}

Result<FileOffset> ElfImage::file_offset(LinkAddress address) const {
  for (const Segment& segment : code_segments_) {
    if (raw(address) >= segment.address && raw(address) - segment.address < segment.size) {
      return FileOffset{raw(address) - segment.address + segment.offset};
    }
  }
  return failure(lie("address " + hex(raw(address)) + " is in no executable segment"));
}

Result<FileOffset> ElfImage::data_offset(LinkAddress address, std::uint64_t bytes) const {
  for (const Segment& segment : data_segments_) {
    const std::uint64_t into = raw(address) - segment.address;
    if (raw(address) >= segment.address && into < segment.size && bytes <= segment.size - into) {
      return FileOffset{into + segment.offset};
    }
  }
  return failure(lie("address " + hex(raw(address)) + " is in no data that the file holds"));
}

Result<LinkAddress> ElfImage::link_address(FileOffset offset) const {
  for (const Segment& segment : code_segments_) {
    if (raw(offset) >= segment.offset && raw(offset) - segment.offset < segment.size) {
      return LinkAddress{raw(offset) - segment.offset + segment.address};
    }
  }
  return failure(lie("byte " + hex(raw(offset)) + " of the file is in no executable segment"));
}

Result<std::vector<std::uint8_t>> ElfImage::code(Range range) const {
  auto offset = file_offset(range.low);
  if (!offset) return failure(offset.error());
  const std::uint64_t size = raw(range.high) - raw(range.low);
  if (raw(range.high) < raw(range.low) || size > limits::function_bytes) {
    return failure(lie("a function at " + hex(raw(range.low)) + " claims " + std::to_string(size) + " bytes"));
  }
  std::vector<std::uint8_t> bytes(size);
  if (auto read = read_at(raw(*offset), bytes.data(), bytes.size(), "code"); !read) return failure(read.error());
  return bytes;
}

}  // namespace diagnose::target
