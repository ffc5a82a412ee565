// What a file says of itself and of those that belong to it.
#include <cstdlib>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "target/elf_reader.h"

namespace diagnose::target {
namespace {

using testing::EndsWith;
using testing::IsEmpty;
using testing::SizeIs;

Identity of(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto identity = make_elf_reader()->identify(file.get(), path);
  EXPECT_TRUE(identity);
  return identity.value_or(Identity{});
}

TEST(Identify, AProgramWithItsDebugInformation) {
  const Identity identity = of(std::string(TEST_PROGRAMS_DIR) + "/described_O0");
  EXPECT_TRUE(identity.dwarf);
  EXPECT_TRUE(identity.symbols);
  EXPECT_THAT(identity.debuglink, IsEmpty());
  EXPECT_THAT(identity.split, IsEmpty());
}

TEST(Identify, SplitDebugInformationIsNamedWithTheCodeItIsAbout) {
  for (const char* name : {"split_g4", "split_g5", "split_clang4", "split_clang5", "split_lost"}) {
    const Identity identity = of(std::string(TEST_PROGRAMS_DIR) + "/split/" + name);
    EXPECT_TRUE(identity.dwarf) << name;
    ASSERT_THAT(identity.split, SizeIs(1)) << name;
    EXPECT_EQ(identity.split[0].file, std::string(name) + ".dwo");
    EXPECT_THAT(identity.split[0].directory, EndsWith("/split"));
    EXPECT_FALSE(identity.split[0].code.empty()) << name;
    EXPECT_FALSE(identity.build_id.empty()) << name;
  }
}

TEST(Identify, WhatIsNoProgramSaysNothing) {
  const Fd file(::memfd_create("text", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), 100), 0);
  const auto identity = make_elf_reader()->identify(file.get(), "text");
  ASSERT_TRUE(identity);
  EXPECT_FALSE(identity->dwarf || identity->symbols);
}

}  // namespace
}  // namespace diagnose::target
