// .gnu_debugdata: the symbols of a stripped file that its distribution left in it, as a small ELF file packed with xz
// (GDB's manual, "MiniDebugInfo").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"

namespace diagnose::target {

struct MiniSymbol {
  std::string name;
  LinkAddress address{};
  std::uint64_t size = 0;  // bytes
  bool ifunc = false;
  bool global = false;
};

// Its functions.  Empty if it is broken, or larger than limits::mini_symbols_bytes when unpacked: the file has its
// dynamic symbols all the same.
[[nodiscard]] std::vector<MiniSymbol> mini_symbols(std::span<const std::uint8_t> packed);

// The functions of a debug file's .symtab.  Empty if it has none, or is not that of the program with this build id or,
// if it has none, with this checksum.
[[nodiscard]] std::vector<MiniSymbol> debug_symbols(int fd, const std::string& build_id,
                                                    std::optional<std::uint32_t> crc32);

}  // namespace diagnose::target
