// Places within functions, in the programs of tests/programs.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <set>

#include "base/fd.h"
#include "target/debug_info.h"
#include "target/elf_reader.h"

namespace diagnose::target {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}

FileAnswer read(const std::string& path, FileRequest request) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(file) << path << ": build the target `programs`";
  request.fd = file.get();
  request.name = path;
  auto answer = make_elf_reader()->read(request);
  EXPECT_TRUE(answer) << answer.error().text();
  return answer ? *answer : FileAnswer{};
}

FileAnswer at(const std::string& path, LinkAddress address) {
  FileRequest request;
  request.by = PlaceBy::address;
  request.address = address;
  return read(path, std::move(request));
}

FileAnswer functions(const std::string& path, const std::string& pattern) {
  FileRequest request;
  request.function = pattern;
  return read(path, std::move(request));
}

Function function(const std::string& path, const std::string& name) {
  const FileAnswer answer = functions(path, name);
  EXPECT_THAT(answer.functions, SizeIs(1)) << name;
  return answer.functions.empty() ? Function{} : answer.functions.front();
}

// Where objdump sees an instruction begin.
std::set<std::uint64_t> boundaries_by_objdump(const std::string& path) {
  std::set<std::uint64_t> boundaries;
  const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(("objdump -dw " + path).c_str(), "r"), ::pclose);
  char* line = nullptr;
  std::size_t room = 0;
  while (output && ::getline(&line, &room, output.get()) > 0) {
    char* end = nullptr;
    const std::uint64_t address = std::strtoull(line, &end, 16);
    if (end != line && *end == ':') boundaries.insert(address);
  }
  std::free(line);
  return boundaries;
}

TEST(AddressPlace, A5ByteNopWithinAFunctionIsTakenOnlyWhereTheKernelSparesTheRedZone) {
  const std::string path = program("red_zone");
  constexpr std::uint64_t before = 28;  // bytes of the four instructions in front of it
  FileRequest request;
  request.by = PlaceBy::address;
  request.address = LinkAddress{raw(function(path, "nop_inside").body.low) + before};
  const FileAnswer refused = read(path, request);
  EXPECT_THAT(refused.functions, IsEmpty());
  EXPECT_THAT(refused.refused, Contains(HasSubstr("a 5-byte nop")));
  request.nop5_in_body = true;
  const FileAnswer taken = read(path, request);
  ASSERT_THAT(taken.functions, SizeIs(1));
  EXPECT_EQ(taken.functions[0].sites[0].length, 5);
  EXPECT_EQ(taken.functions[0].sites[0].cost, Cost::emulated);
}

TEST(AddressPlace, IsTakenWhereAnInstructionBeginsAndNowhereElse) {
  const std::string path = program("symbols");
  const auto boundaries = boundaries_by_objdump(path);
  ASSERT_GT(boundaries.size(), 100U) << "objdump is missing";
  const Function whole = function(path, "main");
  std::size_t taken = 0;
  for (std::uint64_t address = raw(whole.body.low); address < raw(whole.body.high); ++address) {
    const FileAnswer answer = at(path, LinkAddress{address});
    if (answer.functions.empty()) {
      EXPECT_FALSE(boundaries.contains(address)) << std::hex << address << answer.refused.front();
      ASSERT_THAT(answer.refused, SizeIs(1));
      EXPECT_THAT(answer.refused.front(), HasSubstr("it is within the instruction at 0x"));
      continue;
    }
    EXPECT_TRUE(boundaries.contains(address)) << std::hex << address;
    const Function& found = answer.functions.front();
    EXPECT_EQ(found.name, "main");
    EXPECT_EQ(found.body.low, whole.body.low);
    ASSERT_THAT(found.sites, SizeIs(1));
    EXPECT_EQ(found.sites.front().kind, SiteKind::address);
    EXPECT_EQ(found.sites.front().address, LinkAddress{address}) << "it must not be moved";
    ++taken;
  }
  EXPECT_GT(taken, 10U);
}

TEST(AddressPlace, TellsTheNeighboursOfAnAddressWithinAnInstruction) {
  const std::string path = program("symbols");
  const Function whole = function(path, "main");
  const auto boundaries = boundaries_by_objdump(path);
  auto next = boundaries.upper_bound(raw(whole.body.low));
  while (*next - *std::prev(next) == 1) ++next;
  const FileAnswer answer = at(path, LinkAddress{*std::prev(next) + 1});
  char expected[128];
  std::snprintf(expected, sizeof expected, "it is within the instruction at 0x%llx; the next one begins at 0x%llx",
                static_cast<unsigned long long>(*std::prev(next)), static_cast<unsigned long long>(*next));
  EXPECT_THAT(answer.refused, ElementsAre(HasSubstr(expected)));
}

TEST(AddressPlace, OutsideOfCodeIsRefused) {
  EXPECT_THAT(at(program("symbols"), LinkAddress{1}).refused,
              ElementsAre(HasSubstr("no function is known to hold it")));
  EXPECT_THAT(at(program("symbols"), LinkAddress{~0ULL}).refused, ElementsAre(HasSubstr("no function")));
  const Function table = function(program("tails"), "tail_self");
  EXPECT_THAT(at(program("tails"), table.body.low).functions, SizeIs(1));
}

TEST(AddressPlace, WhatMustNotBeProbedIsRefused) {
  const FileAnswer refused = functions(program("tails"), "starts_with_syscall");
  ASSERT_THAT(refused.functions, IsEmpty());
  std::uint64_t address = 0;
  const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(("nm " + program("tails")).c_str(), "r"), ::pclose);
  char line[256];
  while (output && std::fgets(line, sizeof line, output.get()) != nullptr) {
    if (std::string(line).ends_with(" starts_with_syscall\n")) address = std::strtoull(line, nullptr, 16);
  }
  ASSERT_NE(address, 0U);
  EXPECT_THAT(at(program("tails"), LinkAddress{address}).refused, ElementsAre(HasSubstr("syscall")));
}

TEST(AddressPlace, OfAStrippedFileIsFoundByItsUnwindTable) {
  const Function whole = function(program("threads_stripped"), "main");
  const FileAnswer answer = at(program("threads_stripped"), whole.sites.front().address);
  EXPECT_THAT(answer.functions, SizeIs(1));
}

// The line of tests/programs/lines.cpp that ends in `// here: NAME`.
std::uint32_t line_of(const std::string& name) {
  std::ifstream source(TEST_SOURCE_DIR "/programs/lines.cpp");
  std::uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.ends_with("// here: " + name)) return number;
  }
  return 0;
}

FileAnswer at_line(const std::string& file, std::uint32_t line) {
  FileRequest request;
  request.by = PlaceBy::line;
  request.function = file;
  request.line = line;
  return read(program("lines"), std::move(request));
}

TEST(LinePlace, IsTheFirstStatementOfEachStretchOfItsCode) {
  const FileAnswer odd = at_line("lines.cpp", line_of("odd"));
  ASSERT_THAT(odd.functions, SizeIs(1));
  EXPECT_EQ(odd.functions[0].name, "first");
  EXPECT_EQ(odd.functions[0].sites.at(0).kind, SiteKind::line);
  const FileAnswer inlined = at_line("programs/lines.cpp", line_of("inlined"));
  ASSERT_THAT(inlined.functions, SizeIs(2));
  EXPECT_EQ(inlined.functions[0].name, "first");
  EXPECT_EQ(inlined.functions[1].name, "second");
}

TEST(LinePlace, IsFoundByTheEndOfThePathFromASlashOn) {
  const std::uint32_t line = line_of("odd");
  EXPECT_THAT(at_line(TEST_SOURCE_DIR "/programs/lines.cpp", line).functions, SizeIs(1));
  for (const char* other : {"ines.cpp", "other/lines.cpp", "lines", "cpp"}) {
    const FileAnswer none = at_line(other, line);
    EXPECT_THAT(none.functions, IsEmpty()) << other;
    EXPECT_EQ(none.absent, "no source file of that name") << other;
  }
}

TEST(LinePlace, WithoutCodeTellsTheNextThatHasSome) {
  const FileAnswer none = at_line("lines.cpp", line_of("odd") + 2);  // blank
  EXPECT_THAT(none.functions, IsEmpty());
  EXPECT_EQ(none.absent, "the next line with code is " + std::to_string(line_of("odd") + 3));
  EXPECT_THAT(none.nearest, ElementsAre("lines.cpp:" + std::to_string(line_of("odd") + 3)));
  EXPECT_THAT(at_line("lines.cpp", 100'000).absent, HasSubstr("the last line with code is "));
}

TEST(LinePlace, NeedsDebugInformation) {
  FileRequest request;
  request.by = PlaceBy::line;
  request.function = "threads.cpp";
  request.line = 10;
  EXPECT_EQ(read(program("threads_stripped"), std::move(request)).absent, "the file has no debug information");
}

FileAnswer inlined(const std::string& name, const std::string& pattern) {
  FileRequest request;
  request.function = pattern;
  request.inlined = true;
  return read(program(name), std::move(request));
}

TEST(InlinedPlaces, AreTheCopiesBesideTheFunctionItself) {
  const FileAnswer answer = inlined("inlined", "often_inlined");
  std::vector<std::string> names;
  for (const Function& function : answer.functions) names.push_back(function.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("often_inlined", "often_inlined (inlined in one_site)",
                                                   "often_inlined (inlined in other_site)"));
  EXPECT_THAT(answer.refused, IsEmpty());
  EXPECT_THAT(functions(program("inlined"), "often_inlined").functions, SizeIs(1));
}

TEST(InlinedPlaces, OfAFunctionThatHasNoCodeOfItsOwnAreFound) {
  const FileAnswer answer = inlined("lines", "keep");
  ASSERT_THAT(answer.functions, SizeIs(2));
  EXPECT_EQ(answer.functions[0].name, "keep (inlined in first)");
  EXPECT_EQ(answer.functions[0].sites.at(0).kind, SiteKind::inlined);
  EXPECT_THAT(functions(program("lines"), "keep").functions, IsEmpty());
}

}  // namespace
}  // namespace diagnose::target
