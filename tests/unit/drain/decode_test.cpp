#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "bpf/contract.h"
#include "drain/ring.h"

namespace diagnose::drain {
namespace {

std::vector<std::byte> bytes_of(const struct record& header, std::size_t payload_bytes) {
  std::vector<std::byte> bytes(sizeof(header) + payload_bytes);
  std::memcpy(bytes.data(), &header, sizeof(header));
  for (std::size_t i = 0; i < payload_bytes; ++i) bytes[sizeof(header) + i] = static_cast<std::byte>(i);
  return bytes;
}

struct record header_of(std::uint32_t size) {
  struct record header = {};
  header.size = size;
  header.kind = RECORD_EVENT;
  header.instrument = 3;
  header.probe = 0xfffffffe;
  header.tgid = 100;
  header.tid = 101;
  header.time_ns = 0x123456789abcdef0;
  std::memcpy(header.comm, "sixteen-chars-ab", sizeof(header.comm));
  return header;
}

TEST(Decode, ReadsEveryFieldAndThePayload) {
  const auto bytes = bytes_of(header_of(64), 16);
  RawRecord record;
  ASSERT_TRUE(decode(bytes, record));
  EXPECT_EQ(record.kind, RECORD_EVENT);
  EXPECT_EQ(record.instrument, 3);
  EXPECT_EQ(record.probe, 0xfffffffeU);
  EXPECT_EQ(record.tgid, 100U);
  EXPECT_EQ(record.tid, 101U);
  EXPECT_EQ(record.time_ns, 0x123456789abcdef0U);
  EXPECT_STREQ(record.comm, "sixteen-chars-ab");  // a name without a NUL ends all the same
  ASSERT_EQ(record.payload.size(), 16U);
  EXPECT_EQ(record.payload.data(), bytes.data() + 48);
}

TEST(Decode, TakesAHeaderAlone) {
  const auto bytes = bytes_of(header_of(48), 0);
  RawRecord record;
  ASSERT_TRUE(decode(bytes, record));
  EXPECT_TRUE(record.payload.empty());
}

TEST(Decode, RefusesEveryLengthShortOfAHeader) {
  const auto bytes = bytes_of(header_of(48), 0);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    RawRecord record;
    EXPECT_FALSE(decode(std::span(bytes).first(size), record)) << size;
  }
}

TEST(Decode, RefusesASizeThatLies) {
  for (const std::uint32_t size : {0U, 1U, 47U, 65U, 0x7fffffffU, 0xffffffffU}) {
    const auto bytes = bytes_of(header_of(size), 16);
    RawRecord record;
    EXPECT_FALSE(decode(bytes, record)) << size;
  }
}

TEST(Decode, BytesBehindTheRecordAreNotItsPayload) {
  const auto bytes = bytes_of(header_of(56), 16);
  RawRecord record;
  ASSERT_TRUE(decode(bytes, record));
  EXPECT_EQ(record.payload.size(), 8U);
}

TEST(Decode, BytesNeedNotBeAligned) {
  auto bytes = bytes_of(header_of(64), 16);
  bytes.insert(bytes.begin(), std::byte{0xff});
  RawRecord record;
  ASSERT_TRUE(decode(std::span(bytes).subspan(1), record));
  EXPECT_EQ(record.time_ns, 0x123456789abcdef0U);
}

TEST(Decode, ARefusedRecordChangesNothing) {
  RawRecord record;
  record.probe = 7;
  EXPECT_FALSE(decode(bytes_of(header_of(1000), 0), record));
  EXPECT_EQ(record.probe, 7U);
}

TEST(Decode, HostileBytesNeverReachBeyondTheirEnd) {
  std::mt19937 random(1);  // the same bytes in every run
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes(random() % 128);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    // Sizes near the truth are the interesting ones.
    if (bytes.size() >= 4 && i % 2 == 0) {
      const std::uint32_t size = static_cast<std::uint32_t>(random() % 160);
      std::memcpy(bytes.data(), &size, sizeof(size));
    }
    RawRecord record;
    if (!decode(bytes, record)) continue;
    EXPECT_GE(record.payload.data(), bytes.data() + sizeof(struct record));
    EXPECT_LE(record.payload.data() + record.payload.size(), bytes.data() + bytes.size());
    EXPECT_EQ(record.comm[16], '\0');
  }
}

}  // namespace
}  // namespace diagnose::drain
