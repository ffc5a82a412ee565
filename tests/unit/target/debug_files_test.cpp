#include "target/debug_files.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "target/debug_link.h"
#include "target/describe.h"
#include "target/dwarf_file.h"

namespace diagnose::target {
namespace {

namespace fs = std::filesystem;

// A root with copies of a program, split from its debug information as distributions do it.
class SplitProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/debug_files.XXXXXX";
    root_ = ::mkdtemp(pattern);
    fs::create_directories(root_ / "usr/bin/.debug");
    run("cp " + std::string(TEST_PROGRAMS_DIR) + "/described_O0 " + path());
    run("objcopy --only-keep-debug " + path() + " " + debug());
    run("cd " + (root_ / "usr/bin").string() +
        " && strip -g -o stripped program && strip -s -o bare program && "
        "objcopy --add-gnu-debuglink=.debug/program.debug stripped linked");
  }
  void TearDown() override { fs::remove_all(root_); }

  static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }
  std::string path() const { return (root_ / "usr/bin/program").string(); }
  std::string debug() const { return (root_ / "usr/bin/.debug/program.debug").string(); }
  Fd open(const std::string& name) const {
    return Fd(::open((root_ / "usr/bin" / name).c_str(), O_RDONLY | O_CLOEXEC));
  }

  fs::path root_;
};

TEST_F(SplitProgram, NamesItsDebugFileAndTheChecksumIsThatOfTheFile) {
  const Fd file = open("linked");
  const auto image = ElfImage::open(file.get(), "linked");
  ASSERT_TRUE(image);
  const auto link = debug_link(*image);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->name, "program.debug");
  const Fd separate(::open(debug().c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(crc32_of(separate.get(), 1U << 30U), link->crc32);
  EXPECT_EQ(crc32_of(separate.get(), 10), std::nullopt);
}

TEST_F(SplitProgram, IsDescribedFromTheDebugFileFoundByItsLink) {
  const Fd file = open("linked");
  DescribeRequest request;
  request.fd = file.get();
  request.name = "linked";
  const auto without = describe_places(request);
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->present);
  EXPECT_EQ(without->debuglink, "program.debug");
  const DebugFiles found = find_debug_files({.path = "/usr/bin/linked",
                                             .root = root_.string(),
                                             .build_id = without->build_id,
                                             .debuglink = without->debuglink});
  ASSERT_EQ(found.fds.size(), 1U);
  EXPECT_EQ(found.names.front(), debug());
  request.debug_fds = {found.fds.front().get()};
  request.debug_names = found.names;
  request.types = {"Node"};
  const auto with = describe_places(request);
  ASSERT_TRUE(with);
  EXPECT_TRUE(with->present);
  EXPECT_EQ(with->source, debug());
  EXPECT_EQ(with->types[with->named_types.at(0).type].bytes, 56U);
}

TEST_F(SplitProgram, IsFoundByItsBuildId) {
  const std::string folder = (root_ / "usr/lib/debug/.build-id/ab").string();
  fs::create_directories(folder);
  fs::copy(debug(), folder + "/cdef.debug");
  const DebugFiles found =
      find_debug_files({.path = "/usr/bin/bare", .root = root_.string(), .build_id = "abcdef", .debuglink = {}});
  ASSERT_EQ(found.names.size(), 1U);
  EXPECT_EQ(found.names.front(), folder + "/cdef.debug");
}

TEST_F(SplitProgram, ADebugFileOfAnotherBuildIsNotUsed) {
  const Fd own = open("bare");
  const Fd other(::open((std::string(TEST_PROGRAMS_DIR) + "/described_O2").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(DwarfFile::open(own.get(), {other.get()}, "0123456789"));
  EXPECT_FALSE(DwarfFile::open(own.get(), {other.get()}, "", 17U));
  EXPECT_FALSE(DwarfFile::open(own.get(), {other.get()}, ""));
}

TEST_F(SplitProgram, LinksOfTheTargetStayWithinItsRoot) {
  fs::create_directories(root_ / "usr/lib/debug/.build-id/ab");
  fs::create_symlink("/etc/passwd", root_ / "usr/lib/debug/.build-id/ab/cdef.debug");
  const DebugFiles found = find_debug_files(
      {.path = "/usr/bin/bare", .root = root_.string(), .build_id = "abcdef", .debuglink = "../../etc/passwd"});
  EXPECT_TRUE(found.fds.empty());
  EXPECT_THAT(found.tried, ::testing::Contains((root_ / "usr/lib/debug/.build-id/ab/cdef.debug").string()));
}

// Fedora's way: the static symbols in the stripped file itself, packed.
TEST_F(SplitProgram, KeepsItsStaticSymbolsInPackedForm) {
  run("cd " + (root_ / "usr/bin").string() +
      " && objcopy -S --remove-section=.gnu_debuglink program mini && "
      "objcopy --strip-debug --only-keep-debug program packed && xz packed && "
      "objcopy --add-section .gnu_debugdata=packed.xz mini");
  const Fd file = open("mini");
  const auto image = ElfImage::open(file.get(), "mini");
  ASSERT_TRUE(image);
  EXPECT_TRUE(image->stripped());
  const bool found = std::any_of(image->symbols().begin(), image->symbols().end(), [](const Symbol& symbol) {
    return symbol.name == "_Z8variadiciz" && symbol.size > 0;
  });
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace diagnose::target
