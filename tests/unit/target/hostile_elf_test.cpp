// Files that are truncated, lie about themselves or change while they are read: an answer or an error, never a crash.
#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "target/elf_reader.h"

// libelf 0.192 itself forgets buffers of sections that it refuses; the child that reads is retired when it grows.
extern "C" const char*
__lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier): its name is the interface
  return "leak:libelf.so\n";
}

namespace diagnose::target {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<char>;

Bytes tails() {
  std::ifstream stream(std::string(TEST_PROGRAMS_DIR) + "/tails_stripped", std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Result<FileAnswer> read(const Bytes& bytes) {
  const Fd file(::memfd_create("hostile", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return make_elf_reader()->read(
      {.fd = file.get(), .name = "hostile", .function = "re:.", .build_id = {}, .exits = true, .functions_max = 0});
}

Elf64_Ehdr header_of(const Bytes& bytes) {
  Elf64_Ehdr header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

TEST(HostileElf, TruncatedAnywhereIsAnError) {
  const Bytes whole = tails();
  ASSERT_GT(whole.size(), 4000U);
  ASSERT_TRUE(read(whole)) << read(whole).error().text();
  // The section headers stand at the end, so no shorter file is whole.
  for (std::size_t size = 0; size < whole.size(); size += size < 256 ? 1 : 61) {
    const auto answer = read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    ASSERT_FALSE(answer) << size;
    EXPECT_FALSE(answer.error().why.empty());
  }
}

TEST(HostileElf, WithFlippedBitsIsReadOrRefused) {
  const Bytes whole = tails();
  std::mt19937 random(20261120);
  for (int round = 0; round < 3000; ++round) {
    Bytes broken = whole;
    const auto header = header_of(whole);
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      // Half of the flips hit headers: elsewhere most bytes are code.
      std::size_t at = random() % broken.size();
      if (random() % 4 == 0) at = random() % 1024;
      if (random() % 4 == 0) at = header.e_shoff + random() % (broken.size() - header.e_shoff);
      broken[at] = static_cast<char>(broken[at] ^ (1 << (random() % 8)));
    }
    const auto answer = read(broken);
    if (answer) continue;
    EXPECT_FALSE(answer.error().text().empty());
  }
}

TEST(HostileElf, WithHeaderFieldsAtTheirExtremesIsReadOrRefused) {
  const Bytes whole = tails();
  for (std::size_t at = 16; at + 8 <= sizeof(Elf64_Ehdr) + 13 * sizeof(Elf64_Phdr); at += 2) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63U, ~std::uint64_t{0} >> 1U}) {
      Bytes broken = whole;
      std::memcpy(broken.data() + at, &value, sizeof value);
      (void)read(broken);
    }
  }
  const auto header = header_of(whole);
  for (std::size_t at = header.e_shoff; at + 8 <= whole.size(); at += 8) {
    for (const std::uint64_t value : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x20000000}}) {
      Bytes broken = whole;
      std::memcpy(broken.data() + at, &value, sizeof value);
      (void)read(broken);
    }
  }
}

TEST(HostileElf, OfAnotherMachineIsRefusedByName) {
  Bytes other = tails();
  auto header = header_of(other);
  header.e_machine = EM_AARCH64;
  std::memcpy(other.data(), &header, sizeof header);
  EXPECT_THAT(read(other).error().why, HasSubstr("not for x86-64"));
  header.e_machine = EM_X86_64;
  header.e_type = ET_REL;
  std::memcpy(other.data(), &header, sizeof header);
  EXPECT_THAT(read(other).error().why, HasSubstr("neither an executable nor a shared object"));
}

TEST(HostileElf, ThatClaimsMoreThanItHoldsTakesNoMemoryForIt) {
  Bytes sparse = tails();
  const Fd file(::memfd_create("hostile", MFD_CLOEXEC));
  auto header = header_of(sparse);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), sparse.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  for (Elf64_Shdr& section : sections) {
    if (section.sh_type == SHT_DYNSYM) section.sh_size = std::uint64_t{1} << 33U;  // 8 GiB, and the file is as long
  }
  std::memcpy(sparse.data() + header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr));
  ASSERT_EQ(::pwrite(file.get(), sparse.data(), sparse.size(), 0), static_cast<ssize_t>(sparse.size()));
  ASSERT_EQ(::ftruncate(file.get(), off_t{1} << 34U), 0);
  const auto answer = make_elf_reader()->read(
      {.fd = file.get(), .name = "hostile", .function = "f", .build_id = {}, .exits = true, .functions_max = 0});
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().why, HasSubstr("larger than"));
}

}  // namespace
}  // namespace diagnose::target
