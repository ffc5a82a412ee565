// One ELF file, read by offset into memory of our own: a file that shrinks or lies while we read gives an error, never
// a fault (a mapping would raise SIGBUS).  Every offset and size is held against the file before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <elf.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "target/answer.h"
#include "target/mini_symbols.h"

namespace diagnose::target {

[[nodiscard]] std::string hex(std::uint64_t number);  // "0x1f"

// A defined symbol of type function or ifunc, from .symtab or .dynsym.
struct Symbol {
  std::string_view name;  // version suffix ("@@GLIBC_2.2.5") cut off; lives as long as the image
  LinkAddress address{};
  std::uint64_t size = 0;     // bytes
  std::uint32_t section = 0;  // 0: none told
  bool ifunc = false;
  bool global = false;  // or weak: other files may call it
};

// A section as the file tells of it; nothing of it is checked but what its reader checks.
struct Section {
  std::string_view name;  // empty if the file has no names; lives as long as the image
  std::uint32_t type = 0;
  std::uint32_t link = 0;
  bool executable = false;
  std::uint64_t address = 0, offset = 0, size = 0, entry_size = 0;  // bytes
};

// The part of an executable PT_LOAD that the file holds; it lies within the file.
struct Segment {
  std::uint64_t address = 0;  // link address of its first byte
  std::uint64_t offset = 0;   // of the same byte in the file
  std::uint64_t size = 0;     // bytes
};

class ElfImage {
 public:
  // Reads headers, symbols and build id.  Borrows `fd`, which must outlive the image; `name` is for messages.
  // Fails for anything but a little-endian x86-64 executable or shared object, and for one that is truncated or lies.
  [[nodiscard]] static Result<ElfImage> open(int fd, std::string name);
  // The same without symbols(), which in a large program are most of the work.
  [[nodiscard]] static Result<ElfImage> open_without_symbols(int fd, std::string name);
  // Reads of an image without symbols() those at `addresses`, which are ascending.  Once; fails as open() does.
  [[nodiscard]] Status read_symbols_at(std::span<const LinkAddress> addresses);

  // Of a stripped file, also those of the first of its debug files that has any; it is then not stripped any more.
  void add_debug_symbols(const std::vector<int>& debug_fds);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& build_id() const { return build_id_; }
  [[nodiscard]] bool stripped() const { return stripped_; }
  [[nodiscard]] const std::vector<Symbol>& symbols() const { return symbols_; }

  // Why code at `symbol` cannot be probed, or nothing: it must have a size and lie in an executable segment and
  // section, which is none of the linker's stubs.
  [[nodiscard]] std::optional<std::string> refusal(const Symbol& symbol) const;
  // What an ifunc may resolve to, by name: `strlen` -> "__strlen_avx2", "__strlen_sse2".  At most `most` of them.
  [[nodiscard]] std::vector<std::string_view> implementations(const Symbol& ifunc, std::size_t most) const;
  // Through the executable PT_LOAD that holds it.  Fails outside of those.
  [[nodiscard]] Result<FileOffset> file_offset(LinkAddress address) const;
  // The way back.  Fails for an offset that no executable PT_LOAD maps.
  [[nodiscard]] Result<LinkAddress> link_address(FileOffset offset) const;
  // Of `bytes` in a writable PT_LOAD, which the file must hold.
  [[nodiscard]] Result<FileOffset> data_offset(LinkAddress address, std::uint64_t bytes) const;
  [[nodiscard]] const std::vector<Segment>& code_segments() const { return code_segments_; }
  [[nodiscard]] const std::vector<Section>& sections() const { return sections_; }
  // The first section of that name or type, or nullptr.
  [[nodiscard]] const Section* section(std::string_view name) const;
  [[nodiscard]] const Section* section(std::uint32_t type) const;
  // All bytes of `section`.  Fails if it has none in the file, is truncated or larger than `bytes_max`.
  [[nodiscard]] Result<std::vector<std::uint8_t>> contents(const Section& section, std::uint64_t bytes_max) const;
  // Fills `out` with the file's bytes from `offset` on.
  [[nodiscard]] Status read(FileOffset offset, std::span<std::uint8_t> out) const;
  // The bytes of `range`, as the file has them.
  [[nodiscard]] Result<std::vector<std::uint8_t>> code(Range range) const;

 private:
  ElfImage(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  [[nodiscard]] Error lie(std::string why) const;
  [[nodiscard]] Status read_at(std::uint64_t offset, void* out, std::size_t size, const char* part) const;
  [[nodiscard]] Status read_headers();
  [[nodiscard]] Status read_segments(std::uint64_t offset, std::uint32_t count);
  [[nodiscard]] Status read_sections(std::uint64_t offset, std::uint32_t count, std::uint32_t names);
  void read_section_names(std::uint32_t index);
  using Wanted = std::span<const LinkAddress>;
  [[nodiscard]] Status read_all_symbols(const std::optional<Wanted>& wanted);
  [[nodiscard]] Status read_symbols(const Section& table, const std::optional<Wanted>& wanted);
  void add_symbol(std::string_view name, const Elf64_Sym& entry);
  [[nodiscard]] Result<std::vector<char>> read_name(const Section& names, std::uint64_t at) const;
  void read_mini_symbols();
  void take(const std::vector<MiniSymbol>& found);
  [[nodiscard]] Status read_build_id(std::uint64_t offset, std::uint64_t size);

  int fd_ = -1;  // borrowed
  std::string name_;
  std::uint64_t file_size_ = 0;
  std::string build_id_;
  bool stripped_ = true;
  std::vector<Segment> code_segments_;
  std::vector<Segment> data_segments_;  // writable
  std::vector<Section> sections_;
  std::vector<char> section_names_;
  std::vector<std::vector<char>> strings_;  // string tables, each with a NUL of our own behind it
  std::vector<Symbol> symbols_;
};

}  // namespace diagnose::target
