// .gnu_debuglink: the name of the file that holds the debug information, and its checksum (GDB's manual, "Separate
// Debug Files").  For the sandboxed reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "target/elf_image.h"

namespace diagnose::target {

struct DebugLink {
  std::string name;         // of a file, no path
  std::uint32_t crc32 = 0;  // of all its bytes
};
// Nothing if the file has none, or a broken one.
[[nodiscard]] std::optional<DebugLink> debug_link(const ElfImage& image);

// Of all bytes of a file, the polynomial of zlib.  Nothing if it cannot be read, or is larger than `bytes_max`.
[[nodiscard]] std::optional<std::uint32_t> crc32_of(int fd, std::uint64_t bytes_max);

}  // namespace diagnose::target
