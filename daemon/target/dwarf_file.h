// The DWARF of a file: its own, or that of a separate debug file.  For the sandboxed reader: opens nothing by path.
#pragma once

#include <cstdint>
#include <elfutils/libdw.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "target/elf_image.h"

namespace diagnose::target {

// Of the file's note, lower-case hex; empty if it has none.
[[nodiscard]] std::string build_id_of(Elf* elf);
// Whether a debug file, open as `elf` on `fd`, is that of the program with this build id, or, if it has none, with this
// checksum in its .gnu_debuglink.
[[nodiscard]] bool belongs_to(Elf* elf, int fd, const std::string& build_id, std::optional<std::uint32_t> crc32);

class DwarfFile {
 public:
  // The first of `fd` and `debug_fds` that has DWARF and, of the latter, the build id `build_id` (lower-case hex;
  // empty: any).  Nothing if none has.  All are borrowed and must outlive the result.
  [[nodiscard]] static std::optional<DwarfFile> open(int fd, const std::vector<int>& debug_fds,
                                                     const std::string& build_id,
                                                     std::optional<std::uint32_t> crc32 = std::nullopt);

  // The same of the file `image` on `fd`.
  [[nodiscard]] static std::optional<DwarfFile> open(const ElfImage& image, int fd, const std::vector<int>& debug_fds);

  [[nodiscard]] Dwarf* get() const { return dwarf_.get(); }
  // -1: the file itself; else the index in `debug_fds`.
  [[nodiscard]] int from() const { return from_; }

 private:
  struct Close {
    void operator()(Elf* elf) const;
    void operator()(Dwarf* dwarf) const;
  };
  std::unique_ptr<Elf, Close> elf_;
  std::unique_ptr<Dwarf, Close> dwarf_;  // dies before the ELF file that it reads
  int from_ = -1;
};

}  // namespace diagnose::target
