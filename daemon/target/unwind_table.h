// Where functions begin and end by the unwind tables, which stay in a stripped file: .eh_frame_hdr is a sorted list of
// the entries in .eh_frame (LSB Core 5.0, 10.6.2; DWARF 5, 6.4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.h"
#include "target/answer.h"
#include "target/elf_image.h"

namespace diagnose::target {

class UnwindTable {
 public:
  // Empty if the file has none, or one in a form that no linker for x86-64 writes.
  [[nodiscard]] static UnwindTable read(const ElfImage& image);

  // The stretch of code that one entry describes and that holds `address`.
  [[nodiscard]] std::optional<Range> find(LinkAddress address) const;

 private:
  [[nodiscard]] std::uint64_t entry_start(std::size_t index) const;
  [[nodiscard]] std::optional<std::uint64_t> entry_size(std::size_t index) const;
  [[nodiscard]] std::optional<std::uint8_t> pointer_encoding(std::size_t cie) const;

  std::uint64_t header_address_ = 0, frame_address_ = 0;  // of the two sections
  std::size_t count_ = 0;
  std::vector<std::uint8_t> header_, frame_;
};

}  // namespace diagnose::target
