#include "target/debug_link.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace diagnose::target {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum & 1U) != 0 ? 0xedb88320U ^ (sum >> 1U) : sum >> 1U;
    table.at(byte) = sum;
  }
  return table;
}

}  // namespace

std::optional<DebugLink> debug_link(const ElfImage& image) {
  constexpr std::uint64_t section_bytes_max = 4096;  // a file name, padding, four bytes
  const Section* section = image.section(".gnu_debuglink");
  if (section == nullptr) return std::nullopt;
  const auto bytes = image.contents(*section, section_bytes_max);
  if (!bytes) return std::nullopt;
  const auto end = std::find(bytes->begin(), bytes->end(), std::uint8_t{0});
  const auto length = static_cast<std::size_t>(end - bytes->begin());
  const std::size_t sum_at = (length + 4) & ~std::size_t{3};
  DebugLink link;
  link.name.assign(bytes->begin(), end);
  if (link.name.empty() || sum_at + sizeof link.crc32 > bytes->size()) return std::nullopt;
  std::memcpy(&link.crc32, bytes->data() + sum_at, sizeof link.crc32);
  return link;
}

std::optional<std::uint32_t> crc32_of(int fd, std::uint64_t bytes_max) {
  static constexpr auto table = make_table();
  struct stat status {};
  if (::fstat(fd, &status) != 0 || static_cast<std::uint64_t>(status.st_size) > bytes_max) return std::nullopt;
  std::vector<unsigned char> buffer(1U << 20U);
  std::uint32_t sum = 0xffffffffU;
  for (off_t at = 0; at < status.st_size;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), at);
    if (got <= 0) return std::nullopt;
    for (ssize_t i = 0; i < got; ++i) {
      sum = table.at((sum ^ buffer[static_cast<std::size_t>(i)]) & 0xffU) ^ (sum >> 8U);
    }
    at += got;
  }
  return ~sum;
}

}  // namespace diagnose::target
