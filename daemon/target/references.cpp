#include "target/references.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <emmintrin.h>

#include "target/code_blocks.h"

namespace diagnose::target {
namespace {

constexpr std::size_t references_max = 1U << 20U;  // more calls than this to one set of functions are never probed
constexpr std::size_t vector_bytes = 16;
constexpr std::size_t instruction_bytes = 6;  // the longest form searched for
static_assert(vector_bytes + instruction_bytes < block_margin_bytes);

std::uint64_t hash(std::uint64_t address) {
  return (address * 0x9e3779b97f4a7c15U) >> 48U;
}

__m128i load(const std::uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

__m128i all(int byte) {
  return _mm_set1_epi8(static_cast<char>(byte));
}

// A bit for each of 16 bytes where one of these begins: e8, e9, 0f 80..8f, ff 15, ff 25.
unsigned branches(const std::uint8_t* at) {
  const __m128i first = load(at);
  const __m128i second = load(at + 1);
  const __m128i direct = _mm_cmpeq_epi8(_mm_and_si128(first, all(0xfe)), all(0xe8));
  const __m128i conditional =
      _mm_and_si128(_mm_cmpeq_epi8(first, all(0x0f)), _mm_cmpeq_epi8(_mm_and_si128(second, all(0xf0)), all(0x80)));
  const __m128i relative = _mm_or_si128(_mm_cmpeq_epi8(second, all(0x15)), _mm_cmpeq_epi8(second, all(0x25)));
  const __m128i indirect = _mm_and_si128(_mm_cmpeq_epi8(first, all(0xff)), relative);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(direct, _mm_or_si128(conditional, indirect))));
}

void scan(const std::uint8_t* bytes, std::size_t size, std::uint64_t address, const AddressSet& code,
          const AddressSet& slots, std::vector<Reference>& found) {
  for (std::size_t block = 0; block < size; block += vector_bytes) {
    for (unsigned left = branches(bytes + block); left != 0; left &= left - 1) {
      const std::size_t at = block + static_cast<std::size_t>(std::countr_zero(left));
      if (at >= size) break;
      const std::uint8_t opcode = bytes[at];
      const std::size_t opcode_bytes = opcode == 0xe8 || opcode == 0xe9 ? 1 : 2;
      std::int32_t distance = 0;
      std::memcpy(&distance, bytes + at + opcode_bytes, sizeof distance);
      const std::uint64_t end = address + at + opcode_bytes + sizeof distance;
      const std::uint64_t to = end + static_cast<std::uint64_t>(std::int64_t{distance});
      const bool through_slot = opcode == 0xff;
      if ((through_slot ? slots : code).contains(to))
        found.push_back({LinkAddress{end}, LinkAddress{to}, through_slot});
    }
  }
}

}  // namespace

AddressSet::AddressSet(std::vector<LinkAddress> addresses) : addresses_(std::move(addresses)) {
  std::sort(addresses_.begin(), addresses_.end());
  if (addresses_.empty()) return;
  least_ = raw(addresses_.front());
  span_ = raw(addresses_.back()) - least_;
  filter_.resize(std::size_t{1} << 16U);
  for (const LinkAddress address : addresses_) filter_[hash(raw(address))] = true;
}

bool AddressSet::contains(std::uint64_t address) const {
  if (address - least_ > span_ || addresses_.empty() || !filter_[hash(address)]) return false;
  return std::binary_search(addresses_.begin(), addresses_.end(), LinkAddress{address});
}

Result<References> find_references(const ElfImage& image, std::span<const Segment> stretches, const AddressSet& code,
                                   const AddressSet& slots) {
  References references;
  if (code.empty() && slots.empty()) return references;
  const auto searched =
      visit_code(image, stretches, [&](const std::uint8_t* bytes, std::size_t size, std::uint64_t address) {
        scan(bytes, size, address, code, slots, references.found);
        references.too_many = references.found.size() > references_max;
        return !references.too_many;
      });
  if (!searched) return failure(searched.error());
  return references;
}

std::vector<Reference> find_short_jumps(const ElfImage& image, LinkAddress to) {
  constexpr std::uint64_t forward = 129;   // a jump of 2 bytes that goes 127 on
  constexpr std::uint64_t backward = 126;  // and one that goes 128 back
  std::vector<Reference> found;
  for (const Segment& segment : image.code_segments()) {
    if (raw(to) < segment.address || raw(to) - segment.address >= segment.size) continue;
    const std::uint64_t within = raw(to) - segment.address;
    const std::uint64_t low = within - std::min(within, forward);
    const std::uint64_t high = std::min(segment.size, within + backward + 2);
    std::vector<std::uint8_t> bytes(high - low);
    if (!image.read(FileOffset{segment.offset + low}, bytes)) return found;
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
      if (bytes[i] != 0xeb && (bytes[i] & 0xf0U) != 0x70) continue;
      const std::uint64_t end = segment.address + low + i + 2;
      const auto distance = static_cast<std::int64_t>(static_cast<std::int8_t>(bytes[i + 1]));
      if (end + static_cast<std::uint64_t>(distance) == raw(to)) found.push_back({LinkAddress{end}, to, false});
    }
    return found;
  }
  return found;
}

}  // namespace diagnose::target
