#include "target/code_blocks.h"

#include <algorithm>
#include <vector>

namespace diagnose::target {
namespace {

constexpr std::uint64_t code_bytes_max = 1U << 30U;  // Chromium has some 250 MB of code
constexpr std::uint64_t block_bytes = 1U << 20U;

}  // namespace

Status visit_code(const ElfImage& image, std::span<const Segment> stretches, const BlockVisitor& visit) {
  std::vector<std::uint8_t> bytes(block_bytes + 2 * block_margin_bytes);
  std::uint64_t searched = 0;
  for (const Segment& stretch : stretches) {
    searched += std::min(stretch.size, code_bytes_max + 1);
    if (searched > code_bytes_max) {
      return failure({.what = "search the code",
                      .where = image.name(),
                      .why = "it has more than " + std::to_string(code_bytes_max >> 20U) + " MiB of it",
                      .mend = {}});
    }
    for (std::uint64_t at = 0; at < stretch.size; at += block_bytes) {
      const std::uint64_t size = std::min(stretch.size - at, block_bytes);
      const std::uint64_t before = std::min<std::uint64_t>(at, block_margin_bytes);
      const std::uint64_t behind = std::min<std::uint64_t>(stretch.size - at - size, block_margin_bytes);
      const auto part = std::span(bytes).subspan(block_margin_bytes - before, before + size + behind);
      std::fill(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(block_margin_bytes - before),
                std::uint8_t{0});
      if (auto got = image.read(FileOffset{stretch.offset + at - before}, part); !got) return got;
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(block_margin_bytes + size + behind), bytes.end(),
                std::uint8_t{0});
      if (!visit(bytes.data() + block_margin_bytes, size, stretch.address + at)) return {};
    }
  }
  return {};
}

}  // namespace diagnose::target
