#include "target/traits.h"

#include <algorithm>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "base/fd.h"
#include "target/elf_image.h"
#include "target/stack_writes.h"

namespace diagnose::target {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}
std::string library(const std::string& name) {
  return "/usr/lib/x86_64-linux-gnu/" + name;
}

Traits traits(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto found = find_traits(file.get(), path);
  EXPECT_TRUE(found) << path << ": " << found.error().text();
  return found ? *found : Traits{};
}

// The symbols that have a site: their names by the address of the function around it.
std::set<std::string> caught(const std::string& path, UnwindKind kind) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), path);
  std::set<std::string> names;
  for (const Site& site : traits(path).catches) {
    if (site.unwind != kind) continue;
    EXPECT_EQ(site.kind, SiteKind::catch_);
    EXPECT_EQ(image->file_offset(site.address), site.offset);
    for (const Symbol& symbol : image->symbols()) {
      if (raw(site.address) >= raw(symbol.address) && raw(site.address) - raw(symbol.address) < symbol.size) {
        names.insert(std::string(symbol.name));
      }
    }
  }
  return names;
}

TEST(Traits, OfAPlainProgramProveThatATrampolineIsSafe) {
  for (const char* name : {"calls", "calls_no_plt", "tails", "stacks"}) {
    const Traits found = traits(program(name));
    EXPECT_THAT(found.unwinds, IsEmpty()) << name;
    EXPECT_THAT(found.switches_stacks, IsEmpty()) << name;
    EXPECT_FALSE(found.go);
    EXPECT_THAT(found.build_id, Not(IsEmpty()));
  }
}

TEST(Traits, OfTheCLibraryCountNothingThatItMerelyDefines) {
  for (const char* name : {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"}) {
    const Traits found = traits(library(name));
    EXPECT_THAT(found.unwinds, IsEmpty()) << name;
    EXPECT_THAT(found.switches_stacks, IsEmpty()) << name;
  }
}

TEST(Traits, NameWhatUnwinds) {
  EXPECT_THAT(traits(program("throwing")).unwinds, Contains("imports __cxa_throw"));
  EXPECT_THAT(traits(program("throwing")).unwinds, Contains(HasSubstr(".gcc_except_table")));
  EXPECT_THAT(traits(library("libgcc_s.so.1")).unwinds, Contains("defines _Unwind_RaiseException"));
  EXPECT_THAT(traits(library("libstdc++.so.6")).unwinds, Contains("defines __cxa_throw"));
}

TEST(Traits, OfTheCxxRuntimeDoNotClaimThatItSwitchesStacks) {
  EXPECT_THAT(traits(library("libstdc++.so.6")).switches_stacks, IsEmpty());
  EXPECT_THAT(traits(library("libgcc_s.so.1")).switches_stacks, IsEmpty());
}

TEST(Traits, ProveNothingForAStaticProgramWithoutSymbols) {
  EXPECT_THAT(traits(program("stacks_static")).unwinds, Contains(HasSubstr("no symbols to prove it by")));
}

TEST(Traits, FindEveryWayToTakeAnotherStack) {
  const std::string path = program("stacks_switching");
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), path);
  auto decoder = Decoder::make();
  const auto places = find_stack_switches(*image, *decoder, 100);
  ASSERT_TRUE(places);
  std::set<std::string> functions;
  for (const std::string& place : *places) {
    const std::uint64_t address = std::stoull(place.substr(place.find("0x")), nullptr, 16);
    for (const Symbol& symbol : image->symbols()) {
      if (address >= raw(symbol.address) && address - raw(symbol.address) < symbol.size) {
        functions.insert(std::string(symbol.name));
      }
    }
  }
  EXPECT_THAT(functions,
              testing::UnorderedElementsAre("switches_by_memory", "switches_by_register", "switches_by_reused_register",
                                            "switches_by_exchange", "switches_by_pop", "switches_by_lea",
                                            "switches_by_constant", "switches_by_cmov", "switches_by_rax"));
  EXPECT_THAT(traits(path).switches_stacks, testing::SizeIs(4));  // some are enough
}

TEST(Traits, ShowWhereFramesAreLeft) {
  EXPECT_THAT(caught(library("libgcc_s.so.1"), UnwindKind::set_ip), Contains("_Unwind_SetIP"));
  EXPECT_THAT(caught(library("libstdc++.so.6"), UnwindKind::begin_catch), Contains("__cxa_begin_catch"));
  const auto longjmps = caught(library("libc.so.6"), UnwindKind::longjmp);
  for (const char* name : {"longjmp", "_longjmp", "siglongjmp", "__longjmp_chk"}) {
    EXPECT_THAT(longjmps, Contains(name));
  }
  EXPECT_THAT(caught(library("libc.so.6"), UnwindKind::thread_exit), Contains("pthread_exit"));
  EXPECT_THAT(traits(program("throwing")).catches, IsEmpty());  // it imports what catches
}

// libstdc++'s begins with endbr64 and pushes, or with other moves before its first push.
TEST(Traits, KeepTheFrameOfACatchThatStandsBehindTheEntry) {
  const std::string path = library("libstdc++.so.6");
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), path);
  for (const Site& site : traits(path).catches) {
    EXPECT_EQ(site.cfa_offset, 8);
    const auto is_entry = [&](const Symbol& s) { return s.name == "__cxa_begin_catch" && s.address == site.address; };
    const bool at_entry = std::any_of(image->symbols().begin(), image->symbols().end(), is_entry);
    EXPECT_TRUE(at_entry || site.cost == Cost::emulated) << site.instruction;
  }
}

}  // namespace
}  // namespace diagnose::target
