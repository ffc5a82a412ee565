#include "target/elf_image.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

namespace diagnose::target {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}

const Symbol* find(const ElfImage& image, std::string_view name) {
  const auto found = std::find_if(image.symbols().begin(), image.symbols().end(),
                                  [&](const Symbol& symbol) { return symbol.name == name; });
  return found == image.symbols().end() ? nullptr : &*found;
}

TEST(ElfImage, TurnsAddressesIntoOffsetsAndBack) {
  for (const char* name : {"calls", "calls_nopie", "threads"}) {
    const Fd file(::open(program(name).c_str(), O_RDONLY | O_CLOEXEC));
    const auto image = ElfImage::open(file.get(), name);
    ASSERT_TRUE(image) << image.error().text();
    for (const Symbol& symbol : image->symbols()) {
      const auto offset = image->file_offset(symbol.address);
      if (!offset) continue;
      EXPECT_EQ(image->link_address(*offset), symbol.address) << symbol.name;
    }
    EXPECT_FALSE(image->link_address(FileOffset{0}));
    EXPECT_FALSE(image->link_address(FileOffset{~std::uint64_t{0}}));
  }
}

TEST(ElfImage, FindsSectionsByTheirNames) {
  const Fd file(::open(program("calls").c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), "calls");
  const Section* text = image->section(".text");
  ASSERT_NE(text, nullptr);
  EXPECT_TRUE(text->executable);
  const Symbol* main = find(*image, "main");
  ASSERT_NE(main, nullptr);
  EXPECT_GE(raw(main->address), text->address);
  EXPECT_LT(raw(main->address), text->address + text->size);
  EXPECT_EQ(image->section(".no_such_section"), nullptr);
}

// Some linkers name the stubs; a probe there would count only the calls of one module.
TEST(ElfImage, RefusesASymbolOnALinkersStub) {
  std::ifstream stream(program("calls"), std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  const Fd file(::memfd_create("stub", MFD_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  const auto plain = ElfImage::open(file.get(), "stub");
  ASSERT_TRUE(plain);
  const auto plt = static_cast<std::uint32_t>(plain->section(".plt") - plain->sections().data());
  const Section* table = plain->section(std::uint32_t{SHT_SYMTAB});
  ASSERT_NE(table, nullptr);
  const Symbol* tail = find(*plain, "tail");
  ASSERT_NE(tail, nullptr);
  EXPECT_FALSE(plain->refusal(*tail));
  for (std::size_t at = table->offset; at < table->offset + table->size; at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol{};
    std::memcpy(&symbol, bytes.data() + at, sizeof symbol);
    if (symbol.st_value != raw(tail->address) || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
    symbol.st_value = plain->sections()[plt].address + 16;
    symbol.st_size = 16;
    symbol.st_shndx = static_cast<Elf64_Section>(plt);
    ASSERT_EQ(::pwrite(file.get(), &symbol, sizeof symbol, static_cast<off_t>(at)), ssize_t{sizeof symbol});
  }
  const auto image = ElfImage::open(file.get(), "stub");
  ASSERT_TRUE(image);
  EXPECT_THAT(image->refusal(*find(*image, "tail")).value_or(""), HasSubstr("stub"));
}

TEST(ElfImage, KnowsWhatAnIfuncMayResolveTo) {
  const Fd file(::open(program("tails").c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), "tails");
  const Symbol* ifunc = find(*image, "by_ifunc");
  ASSERT_NE(ifunc, nullptr);
  EXPECT_TRUE(ifunc->ifunc);
  EXPECT_THAT(image->implementations(*ifunc, 4), ElementsAre("by_ifunc_plus"));
}

TEST(ElfImage, ReadsTheSymbolsAtAFewAddressesAsItReadsThemAll) {
  for (const char* name : {"threads", "threads_stripped", "calls", "symbols"}) {
    const Fd file(::open((std::string(TEST_PROGRAMS_DIR "/") + name).c_str(), O_RDONLY | O_CLOEXEC));
    const auto all = ElfImage::open(file.get(), name);
    ASSERT_TRUE(all) << all.error().text();
    std::vector<LinkAddress> wanted;
    for (std::size_t at = 0; at < all->symbols().size(); at += 3) wanted.push_back(all->symbols()[at].address);
    std::sort(wanted.begin(), wanted.end());
    auto few = ElfImage::open_without_symbols(file.get(), name);
    ASSERT_TRUE(few) << few.error().text();
    EXPECT_EQ(few->stripped(), all->stripped()) << name;
    EXPECT_TRUE(few->symbols().empty()) << name;
    const auto read = few->read_symbols_at(wanted);
    ASSERT_TRUE(read) << read.error().text();
    std::vector<std::string> expected;
    for (const Symbol& symbol : all->symbols()) {
      if (std::binary_search(wanted.begin(), wanted.end(), symbol.address)) expected.emplace_back(symbol.name);
    }
    std::vector<std::string> found;
    for (const Symbol& symbol : few->symbols()) found.emplace_back(symbol.name);
    EXPECT_FALSE(expected.empty()) << name;
    EXPECT_EQ(found, expected) << name;
  }
}

}  // namespace
}  // namespace diagnose::target
