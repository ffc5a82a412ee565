#include "target/unwind_table.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace diagnose::target {
namespace {

constexpr std::uint64_t section_bytes_max = 128U << 20U;  // the largest programs known have some 40 MB
constexpr std::size_t header_bytes = 12;                  // version, three encodings, pointer, count
constexpr std::size_t pair_bytes = 8;

// Pointer encodings (LSB Core 5.0, 10.5.1).
constexpr std::uint8_t udata4 = 0x03;
constexpr std::uint8_t sdata4 = 0x0b;
constexpr std::uint8_t from_header_sdata4 = 0x3b;
constexpr std::uint8_t format_bits = 0x0f;

template <typename T>
std::optional<T> number_at(const std::vector<std::uint8_t>& bytes, std::uint64_t at) {
  if (at > bytes.size() || sizeof(T) > bytes.size() - at) return std::nullopt;
  T number{};
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

// Bytes of a pointer in `encoding`; 0 for a form that is not used on x86-64.
std::size_t pointer_bytes(std::uint8_t encoding) {
  switch (encoding & format_bits) {
    case udata4:
    case sdata4:
      return 4;
    case 0x00:  // a native pointer
    case 0x04:
    case 0x0c:
      return 8;
    default:
      return 0;
  }
}

bool skip_leb128(const std::vector<std::uint8_t>& bytes, std::size_t& at) {
  constexpr std::size_t bytes_max = 10;  // of a 64-bit number
  for (std::size_t i = 0; i < bytes_max && at < bytes.size(); ++i) {
    if ((bytes[at++] & 0x80U) == 0) return true;
  }
  return false;
}

}  // namespace

UnwindTable UnwindTable::read(const ElfImage& image) {
  UnwindTable table;
  const Section* header = image.section(".eh_frame_hdr");
  const Section* frame = image.section(".eh_frame");
  if (header == nullptr || frame == nullptr) return table;
  auto header_bytes_read = image.contents(*header, section_bytes_max);
  auto frame_bytes_read = image.contents(*frame, section_bytes_max);
  if (!header_bytes_read || !frame_bytes_read) return table;  // it is only a help
  table.header_address_ = header->address;
  table.frame_address_ = frame->address;
  table.header_ = std::move(*header_bytes_read);
  table.frame_ = std::move(*frame_bytes_read);
  const auto& bytes = table.header_;
  if (bytes.size() < header_bytes || bytes[0] != 1 || pointer_bytes(bytes[1]) != 4 || bytes[2] != udata4 ||
      bytes[3] != from_header_sdata4) {
    return table;
  }
  const auto count = number_at<std::uint32_t>(bytes, 8);
  table.count_ = std::min<std::size_t>(count.value_or(0), (bytes.size() - header_bytes) / pair_bytes);
  return table;
}

std::uint64_t UnwindTable::entry_start(std::size_t index) const {
  const auto from_header = number_at<std::int32_t>(header_, header_bytes + index * pair_bytes).value_or(0);
  return header_address_ + static_cast<std::uint64_t>(std::int64_t{from_header});
}

// The encoding of the addresses in the entries of the CIE at byte `cie` of .eh_frame.
std::optional<std::uint8_t> UnwindTable::pointer_encoding(std::size_t cie) const {
  std::size_t at = cie + 4;
  if (number_at<std::uint32_t>(frame_, at).value_or(1) != 0) return std::nullopt;  // not a CIE
  at += 4;
  const auto version = number_at<std::uint8_t>(frame_, at++);
  if (!version || (*version != 1 && *version != 3)) return std::nullopt;
  const std::size_t letters = at;
  while (at < frame_.size() && frame_[at] != 0) ++at;
  if (at >= frame_.size()) return std::nullopt;
  const std::string_view augmentation(reinterpret_cast<const char*>(frame_.data()) + letters, at - letters);
  if (augmentation.empty()) return std::uint8_t{0};
  if (augmentation.front() != 'z') return std::nullopt;
  ++at;
  if (!skip_leb128(frame_, at) || !skip_leb128(frame_, at)) return std::nullopt;  // alignment factors
  if (!skip_leb128(frame_, at) || !skip_leb128(frame_, at)) return std::nullopt;  // return column, length
  for (const char letter : augmentation.substr(1)) {
    if (letter == 'S' || letter == 'B') continue;
    const auto encoding = number_at<std::uint8_t>(frame_, at++);
    if (!encoding) return std::nullopt;
    if (letter == 'R') return encoding;
    if (letter == 'P') {
      const std::size_t size = pointer_bytes(*encoding);
      if (size == 0) return std::nullopt;
      at += size;
    } else if (letter != 'L') {
      return std::nullopt;
    }
  }
  return std::uint8_t{0};
}

std::optional<std::uint64_t> UnwindTable::entry_size(std::size_t index) const {
  const auto from_header = number_at<std::int32_t>(header_, header_bytes + index * pair_bytes + 4);
  if (!from_header) return std::nullopt;
  const std::uint64_t fde = header_address_ + static_cast<std::uint64_t>(std::int64_t{*from_header}) - frame_address_;
  const auto length = number_at<std::uint32_t>(frame_, fde);
  const auto back = number_at<std::uint32_t>(frame_, fde + 4);
  if (!length || !back || *length >= 0xfffffff0U || *back == 0 || *back > fde + 4) return std::nullopt;
  const auto encoding = pointer_encoding(fde + 4 - *back);
  const std::size_t size = encoding ? pointer_bytes(*encoding) : 0;
  if (size == 0) return std::nullopt;
  const std::uint64_t at = fde + 8 + size;  // behind the first address
  if (size == 4) {
    const auto found = number_at<std::uint32_t>(frame_, at);
    return found ? std::optional<std::uint64_t>(*found) : std::nullopt;
  }
  return number_at<std::uint64_t>(frame_, at);
}

std::optional<Range> UnwindTable::find(LinkAddress address) const {
  std::size_t behind = 0;  // the first entry that begins behind `address`
  for (std::size_t left = count_; left > 0;) {
    const std::size_t half = left / 2;
    if (entry_start(behind + half) <= raw(address)) {
      behind += half + 1;
      left -= half + 1;
    } else {
      left = half;
    }
  }
  if (behind == 0) return std::nullopt;
  const std::size_t index = behind - 1;
  const std::uint64_t low = entry_start(index);
  const auto size = entry_size(index);
  if (!size || raw(address) < low || raw(address) - low >= *size || low + *size < low) return std::nullopt;
  return Range{LinkAddress{low}, LinkAddress{low + *size}};
}

}  // namespace diagnose::target
