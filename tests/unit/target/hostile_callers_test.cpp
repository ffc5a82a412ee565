// Files that are truncated or lie, given to the searches through their code: an answer or an error, never a crash,
// never a search without end.
#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "target/callers.h"
#include "target/traits.h"

namespace diagnose::target {
namespace {

using Bytes = std::vector<char>;

Bytes bytes_of(const std::string& name) {
  std::ifstream stream(std::string(TEST_PROGRAMS_DIR) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Elf64_Ehdr header_of(const Bytes& bytes) {
  Elf64_Ehdr header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

// How many of the three searches gave an answer.
int search(const Bytes& bytes) {
  const Fd file(::memfd_create("hostile", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  CallersRequest callers{.fd = file.get(), .name = "hostile", .callees = {}};
  for (std::uint32_t function = 0; function < 32; ++function) {
    callers.callees.push_back({.function = function, .address = LinkAddress{0x1000 + function * 0x20}, .symbols = {}});
  }
  callers.callees.push_back({.function = 32, .address = {}, .symbols = {"calls_library", "calls_within", "printf"}});
  ReturnSitesRequest returns{.fd = file.get(), .name = "hostile", .return_offsets = {}};
  for (std::uint64_t address = 0x1000; address < 0x1400; address += 7) {
    returns.return_offsets.push_back(FileOffset{address});
  }
  const auto found = find_callers(callers);
  const auto sites = find_return_sites(returns);
  const auto traits = find_traits(file.get(), "hostile");
  EXPECT_TRUE(found || !found.error().text().empty());
  EXPECT_TRUE(sites || !sites.error().text().empty());
  EXPECT_TRUE(traits || !traits.error().text().empty());
  return (found ? 1 : 0) + (sites ? 1 : 0) + (traits ? 1 : 0);
}

class HostileCode : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Callers, HostileCode, testing::Values("calls", "calls_stripped", "stacks_switching"));

TEST_P(HostileCode, TruncatedAnywhereIsAnError) {
  const Bytes whole = bytes_of(GetParam());
  ASSERT_EQ(search(whole), 3);
  // The section headers stand at the end, so no shorter file is whole.
  for (std::size_t size = 0; size < whole.size(); size += size < 256 ? 7 : 97) {
    EXPECT_EQ(search(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), 0) << size;
  }
}

TEST_P(HostileCode, WithFlippedBitsIsReadOrRefused) {
  const Bytes whole = bytes_of(GetParam());
  const auto header = header_of(whole);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), whole.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  std::mt19937 random(20261120);
  for (int round = 0; round < 400; ++round) {
    Bytes broken = whole;
    for (auto flips = 1 + random() % 6; flips > 0; --flips) {
      std::size_t at = random() % broken.size();
      if (random() % 4 == 0) at = header.e_shoff + random() % (broken.size() - header.e_shoff);
      if (random() % 2 == 0) {  // somewhere in one section: tables are small beside the padding
        const Elf64_Shdr& section = sections[random() % sections.size()];
        if (section.sh_type != SHT_NOBITS && section.sh_size > 0) at = section.sh_offset + random() % section.sh_size;
      }
      broken[at] = static_cast<char>(broken[at] ^ (1 << (random() % 8)));
    }
    (void)search(broken);
  }
}

TEST_P(HostileCode, WithNumbersAtTheirExtremesIsReadOrRefused) {
  const Bytes whole = bytes_of(GetParam());
  const auto header = header_of(whole);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), whole.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  const auto with = [&](std::size_t at, std::uint64_t value, std::size_t size) {
    Bytes broken = whole;
    std::memcpy(broken.data() + at, &value, size);
    (void)search(broken);
  };
  for (std::size_t at = header.e_shoff; at + 8 <= whole.size(); at += 8) {
    with(at, at % 16 == 0 ? ~std::uint64_t{0} : std::uint64_t{0x20000000}, 8);
  }
  for (const Elf64_Shdr& section : sections) {
    // The unwind tables, the relocations and what the linker was told.
    const bool table = section.sh_type == SHT_RELA || section.sh_type == SHT_DYNAMIC;
    const bool unwind = section.sh_type == SHT_X86_64_UNWIND || section.sh_type == SHT_PROGBITS;
    const bool code = (section.sh_flags & SHF_EXECINSTR) != 0;
    if (!table && (!unwind || code)) continue;
    for (std::size_t at = 0; at + 4 <= std::min<std::size_t>(section.sh_size, 64); at += 4) {
      for (const std::uint64_t value : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x7fffffff}}) {
        with(section.sh_offset + at, value, 4);
      }
    }
  }
}

TEST_P(HostileCode, OfRandomBytesIsReadOrRefused) {
  const Bytes whole = bytes_of(GetParam());
  const auto header = header_of(whole);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), whole.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    Bytes broken = whole;
    for (const Elf64_Shdr& section : sections) {
      if ((section.sh_flags & SHF_EXECINSTR) == 0) continue;
      for (std::size_t at = 0; at < section.sh_size; ++at) {
        broken[section.sh_offset + at] = static_cast<char>(random());
      }
    }
    EXPECT_EQ(search(broken), 3);
  }
}

TEST(HostileSize, ThatClaimsToBeAllCodeIsSearchedInBoundedTime) {
  Bytes bytes = bytes_of("calls");
  auto header = header_of(bytes);
  Elf64_Phdr segment{};
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const std::size_t at = header.e_phoff + i * sizeof segment;
    std::memcpy(&segment, bytes.data() + at, sizeof segment);
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    segment.p_filesz = segment.p_memsz = std::uint64_t{1} << 33U;
    std::memcpy(bytes.data() + at, &segment, sizeof segment);
  }
  const Fd file(::memfd_create("hostile", MFD_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(::ftruncate(file.get(), off_t{1} << 34U), 0);  // 16 GiB, of which next to nothing is there
  const auto found = find_callers({.fd = file.get(),
                                   .name = "hostile",
                                   .callees = {{.function = 0, .address = LinkAddress{0x1250}, .symbols = {}}}});
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().why.find("MiB"), std::string::npos);
}

}  // namespace
}  // namespace diagnose::target
