// The executable bytes of a file, block after block, for searches that look at all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "target/elf_image.h"

namespace diagnose::target {

// So many bytes before and behind a block may be read as well; beyond the stretch they are zero.
inline constexpr std::size_t block_margin_bytes = 64;

// `bytes`: the first of `size` bytes of a block; `address`: its link address.  False ends the search.
using BlockVisitor = std::function<bool(const std::uint8_t* bytes, std::size_t size, std::uint64_t address)>;

// Fails if the file cannot be read, or has more code than any known program.
[[nodiscard]] Status visit_code(const ElfImage& image, std::span<const Segment> stretches, const BlockVisitor& visit);

}  // namespace diagnose::target
