#include "target/elf_reader.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <unistd.h>

#include "base/fd.h"
#include "target/code.h"
#include "target/elf_image.h"
#include "target/function_map.h"

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

Result<FileAnswer> read(const std::string& path, const std::string& function, bool exits = true,
                        const std::string& build_id = {}, std::size_t functions_max = 0) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(file) << path << ": build the target `programs`";
  return make_elf_reader()->read({.fd = file.get(),
                                  .name = path,
                                  .function = function,
                                  .build_id = build_id,
                                  .exits = exits,
                                  .functions_max = functions_max});
}

// The one function of that name in tests/programs/tails.c.
Function tails(const std::string& name) {
  const auto answer = read(program("tails"), name);
  EXPECT_TRUE(answer) << answer.error().text();
  if (!answer || answer->functions.size() != 1) {
    ADD_FAILURE() << name << ": " << (answer ? answer->functions.size() : 0) << " functions";
    return {};
  }
  return answer->functions.front();
}

std::vector<Site> of_kind(const Function& function, SiteKind kind) {
  std::vector<Site> sites;
  std::copy_if(function.sites.begin(), function.sites.end(), std::back_inserter(sites),
               [&](const Site& site) { return site.kind == kind; });
  return sites;
}

bool within(const Range& range, LinkAddress address) {
  return address >= range.low && address < range.high;
}

TEST(ElfReader, GivesTheEntryWithItsBytesAsTheFileHasThem) {
  const Function function = tails("tail_self");
  ASSERT_FALSE(function.sites.empty());
  const Site& entry = function.sites.front();
  EXPECT_EQ(entry.kind, SiteKind::entry);
  EXPECT_EQ(entry.instruction, "push %rbx");
  EXPECT_EQ(entry.cost, Cost::emulated);
  EXPECT_EQ(entry.address, function.body.low);
  EXPECT_THAT(entry.bytes, ElementsAre(0x53));
  EXPECT_EQ(entry.cfa_register, register_sp);
  EXPECT_EQ(entry.cfa_offset, 8);
  std::ifstream file(program("tails"), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(raw(entry.offset)));
  EXPECT_EQ(file.get(), 0x53);
}

TEST(ElfReader, FindsATailJumpBesideAReturn) {
  const Function function = tails("tail_half");
  EXPECT_EQ(function.exits_error, "");
  EXPECT_THAT(of_kind(function, SiteKind::exit), SizeIs(1));
  const auto jumps = of_kind(function, SiteKind::tail);
  ASSERT_THAT(jumps, SizeIs(1));
  EXPECT_EQ(jumps.front().tail.kind, Tail::Kind::always);
  EXPECT_EQ(jumps.front().cost, Cost::emulated);
}

TEST(ElfReader, FindsAConditionalTailJumpWithItsCondition) {
  const auto jumps = of_kind(tails("tail_if"), SiteKind::tail);
  ASSERT_THAT(jumps, SizeIs(1));
  EXPECT_EQ(jumps.front().tail.kind, Tail::Kind::conditional);
  EXPECT_EQ(jumps.front().tail.condition, 4);  // e
}

TEST(ElfReader, TakesAJumpToTheFunctionsOwnStartForAnExit) {
  const Function function = tails("tail_self");
  const auto jumps = of_kind(function, SiteKind::tail);
  ASSERT_THAT(jumps, SizeIs(1));
  EXPECT_EQ(jumps.front().tail.condition, 15);  // g
  EXPECT_THAT(of_kind(function, SiteKind::exit), SizeIs(1));
}

TEST(ElfReader, FindsIndirectTailJumpsWithTheirOperands) {
  const auto by_register = of_kind(tails("tail_register"), SiteKind::tail);
  ASSERT_THAT(by_register, SizeIs(1));
  EXPECT_EQ(by_register.front().tail.kind, Tail::Kind::by_register);
  EXPECT_LT(by_register.front().tail.base, 16);
  const auto by_memory = of_kind(tails("tail_memory"), SiteKind::tail);
  ASSERT_THAT(by_memory, SizeIs(1));
  EXPECT_EQ(by_memory.front().tail.kind, Tail::Kind::by_memory);
  EXPECT_EQ(by_memory.front().tail.base, register_ip);
  const auto indexed = of_kind(tails("tail_indexed"), SiteKind::tail);
  ASSERT_THAT(indexed, SizeIs(1));
  EXPECT_EQ(indexed.front().tail.base, 11);
  EXPECT_EQ(indexed.front().tail.index, 12);
  EXPECT_EQ(indexed.front().tail.scale, 8);
  EXPECT_EQ(indexed.front().tail.displacement, -8);
}

TEST(ElfReader, KeepsTheJumpOfASwitchAsACandidate) {
  const Function function = tails("switch_table");
  EXPECT_EQ(function.exits_error, "");
  EXPECT_GE(of_kind(function, SiteKind::exit).size(), 2U);
  const auto jumps = of_kind(function, SiteKind::tail);
  EXPECT_TRUE(std::any_of(jumps.begin(), jumps.end(), [](const Site& site) {
    return site.tail.kind == Tail::Kind::by_register || site.tail.kind == Tail::Kind::by_memory;
  }));
}

TEST(ElfReader, CountsTheColdPartToItsFunction) {
  const Function function = tails("cold_half");
  ASSERT_THAT(function.cold, SizeIs(1));
  const auto exits = of_kind(function, SiteKind::exit);
  EXPECT_TRUE(std::any_of(exits.begin(), exits.end(), [&](const Site& site) {
    return within(function.cold.front(), site.address);
  })) << "the return in the cold part is an exit";
  for (const Site& site : of_kind(function, SiteKind::tail)) {
    EXPECT_NE(site.tail.kind, Tail::Kind::conditional) << "the jump into the cold part does not leave";
  }
  EXPECT_TRUE(std::is_sorted(function.sites.begin() + 1, function.sites.end(),
                             [](const Site& a, const Site& b) { return a.address < b.address; }));
}

TEST(ElfReader, NeverTakesAColdPartForAnEntry) {
  const auto answer = read(program("symbols"), "re:risky");
  ASSERT_TRUE(answer);
  ASSERT_THAT(answer->functions, SizeIs(1));
  EXPECT_THAT(answer->functions.front().cold, SizeIs(1));
  EXPECT_EQ(answer->functions.front().exits_error, "");
}

TEST(ElfReader, TellsAllNamesOfOneAddress) {
  const Function function = tails("tail_target");
  EXPECT_EQ(function.symbol, "tail_target");
  EXPECT_THAT(function.names, Contains("alias_one"));
}

TEST(ElfReader, RefusesWhatCannotBeProbedAndSaysWhy) {
  const std::pair<const char*, const char*> refused[] = {{"by_ifunc", "ifunc"},
                                                         {"by_ifunc", "its implementations may be by_ifunc_plus"},
                                                         {"size_zero", "no size"},
                                                         {"not_code", "outside of the executable part"},
                                                         {"starts_with_syscall", "syscall"},
                                                         {"starts_with_avx", "AVX"}};
  for (const auto& [name, why] : refused) {
    const auto answer = read(program("tails"), name);
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->functions, IsEmpty()) << name;
    EXPECT_THAT(answer->refused, ElementsAre(HasSubstr(why))) << name;
  }
}

TEST(ElfReader, KeepsTheEntryOfAFunctionWithDataInItAndSaysThatExitsAreMissing) {
  const Function function = tails("data_in_text");
  EXPECT_THAT(function.sites, SizeIs(1));
  EXPECT_THAT(function.exits_error, HasSubstr("undecodable byte at +0x3"));
  EXPECT_THAT(tails("runs_on").exits_error, HasSubstr("runs on"));
}

TEST(ElfReader, TellsTheCostOfTheEntry) {
  EXPECT_EQ(tails("starts_with_nop5").sites.front().cost, Cost::optimised);
  EXPECT_EQ(tails("starts_with_endbr").sites.front().cost, Cost::emulated);  // behind it
  EXPECT_EQ(tails("tail_if").sites.front().cost, Cost::stepped);             // its first cheap instruction is an exit
}

TEST(ElfReader, FindsCxxNamesInTheirMangledForm) {
  const auto all = read(program("symbols"), "shop::Cart::checkout");
  ASSERT_TRUE(all);
  EXPECT_THAT(all->functions, SizeIs(3));
  const auto one = read(program("symbols"), "shop::Cart::checkout(std::string)");
  ASSERT_TRUE(one);
  ASSERT_THAT(one->functions, SizeIs(1));
  EXPECT_THAT(one->functions.front().name, HasSubstr("shop::Cart::checkout(std::"));
  for (const char* name :
       {"shop::twice<int>", "shop::Shelf::take", "shop::tagged", "shop::(anonymous namespace)::hidden",
        "shop::Cart::operator()", "shop::Cart::operator<", "shop::operator<<", "shop::Cart::operator long",
        "shop::Cart::Cart", "shop::Cart::label", "shop::with_lambda(int)::{lambda(int)#1}::operator()(int) const"}) {
    const auto answer = read(program("symbols"), name);
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->functions, SizeIs(1)) << name;
  }
}

TEST(ElfReader, FindsOnlyTheFunctionBehindAThunk) {
  const auto answer = read(program("symbols"), "re:Cart::label");
  ASSERT_TRUE(answer);
  ASSERT_THAT(answer->functions, SizeIs(1));
  EXPECT_EQ(answer->functions.front().symbol, "_ZN4shop4Cart5labelB5cxx11Ev");
}

TEST(ElfReader, OffersTheNearestNames) {
  const auto answer = read(program("symbols"), "shop::Cart::chekout");
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->functions, IsEmpty());
  ASSERT_FALSE(answer->nearest.empty());
  EXPECT_EQ(answer->nearest.front(), "shop::Cart::checkout");
  EXPECT_LE(answer->nearest.size(), 3U);
  EXPECT_THAT(read(program("symbols"), "chekout")->nearest, Contains("shop::Cart::checkout"));
}

TEST(ElfReader, ReadsAStrippedProgramByItsDynamicSymbols) {
  const auto answer = read(program("tails_stripped"), "tail_half");
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_TRUE(answer->stripped);
  ASSERT_THAT(answer->functions, SizeIs(1));
  EXPECT_THAT(of_kind(answer->functions.front(), SiteKind::tail), SizeIs(1));
  EXPECT_FALSE(read(program("tails"), "tail_half")->stripped);
}

TEST(ElfReader, HoldsTheFileAgainstTheBuildIdOfTheSpec) {
  const auto answer = read(program("tails"), "main");
  ASSERT_TRUE(answer);
  ASSERT_GE(answer->build_id.size(), 16U);
  EXPECT_TRUE(read(program("tails"), "main", true, answer->build_id));
  const auto other = read(program("tails"), "main", true, "00ff");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().why, HasSubstr(answer->build_id));
}

TEST(ElfReader, RefusesMoreFunctionsThanAsked) {
  const auto answer = read(program("tails"), "tail_*", false, {}, 2);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().why, HasSubstr("more than 2 functions"));
}

TEST(ElfReader, RefusesWhatIsNoProgram) {
  EXPECT_THAT(read(TEST_SOURCE_DIR "/CMakeLists.txt", "main").error().why, HasSubstr("not an ELF file"));
  EXPECT_THAT(read(TEST_SOURCE_DIR, "main").error().why, HasSubstr("not a regular file"));
  EXPECT_FALSE(make_elf_reader()->read({.fd = -1, .name = "x", .function = "f", .build_id = {}}));
}

// Hazard 4: a probe inside of an instruction changes what the target computes.
TEST(ElfReader, GivesSitesOnlyAtInstructionBoundaries) {
  const auto answer = read(program("symbols"), "*");
  ASSERT_TRUE(answer);
  ASSERT_GT(answer->functions.size(), 20U);
  std::ifstream stream(program("symbols"), std::ios::binary);
  const std::vector<std::uint8_t> file((std::istreambuf_iterator<char>(stream)), {});
  auto decoder = Decoder::make();
  for (const Function& function : answer->functions) {
    std::vector<Range> ranges = function.cold;
    ranges.push_back(function.body);
    std::vector<LinkAddress> boundaries;
    const std::uint64_t shift = raw(function.sites.front().address) - raw(function.sites.front().offset);
    for (const Range& range : ranges) {
      for (std::uint64_t at = raw(range.low); at < raw(range.high);) {
        const auto instruction =
            decoder->decode(std::span(file).subspan(at - shift, raw(range.high) - at), LinkAddress{at});
        if (!instruction) break;
        boundaries.push_back(LinkAddress{at});
        at += instruction->length;
      }
    }
    for (const Site& site : function.sites) {
      EXPECT_THAT(boundaries, Contains(site.address)) << function.symbol;
      EXPECT_EQ(std::memcmp(site.bytes.data(), file.data() + raw(site.offset), site.length), 0) << function.symbol;
    }
  }
}

struct PlacedCase {
  const char* function;
  int entry;  // bytes from the start
  const char* instruction;
  std::vector<std::string> exits;  // their instructions, by address
};

// tests/programs/placed.cpp, as a counter sees it: no register is needed.
TEST(ElfReader, PutsEntriesAndExitsWhereTheyAreCheap) {
  const PlacedCase cases[] = {{"guarded", 0, "push %rbx", {"jne"}}, {"one_of_two", 0, "push %rbx", {"jne", "nop"}},
                              {"tested", 3, "je", {"ret", "ret"}},  {"looped", 0, "xor", {"ret"}},
                              {"prefixed", 0, "mov", {"ret"}},      {"jumps_into", 0, "lea", {"jmp"}}};
  for (const PlacedCase& wanted : cases) {
    const std::string path = program("placed");
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto answer = make_elf_reader()->read({.fd = file.get(),
                                                 .name = path,
                                                 .function = wanted.function,
                                                 .build_id = {},
                                                 .exits = true,
                                                 .entry_registers = 0});
    ASSERT_TRUE(answer) << answer.error().text();
    ASSERT_THAT(answer->functions, SizeIs(1));
    const Function& function = answer->functions.front();
    EXPECT_EQ(function.exits_error, "");
    const Site& entry = function.sites.front();
    EXPECT_EQ(raw(entry.address) - raw(function.body.low), static_cast<std::uint64_t>(wanted.entry)) << wanted.function;
    EXPECT_THAT(entry.instruction, testing::StartsWith(wanted.instruction)) << wanted.function;
    ASSERT_THAT(function.sites, SizeIs(1 + wanted.exits.size())) << wanted.function;
    for (std::size_t i = 0; i < wanted.exits.size(); ++i) {
      EXPECT_THAT(function.sites[i + 1].instruction, testing::StartsWith(wanted.exits[i])) << wanted.function;
    }
  }
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

// Hazard 4, against another disassembler: of all offsets of a function just those of its instructions are taken.
TEST(ElfReader, TakesJustTheOffsetsWhereAnInstructionBegins) {
  for (const char* name : {"symbols", "placed"}) {
    const std::string path = program(name);
    const auto boundaries = boundaries_by_objdump(path);
    ASSERT_GT(boundaries.size(), 100U) << "objdump is missing";
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto image = ElfImage::open(file.get(), path);
    auto decoder = Decoder::make();
    const auto answer = read(path, "*");
    ASSERT_TRUE(image && decoder && answer);
    std::size_t offsets = 0;
    for (const Function& function : answer->functions) {
      const auto body = decode_body(*image, *decoder, {function.body, function.symbol});
      ASSERT_TRUE(body) << body.error().text();
      for (std::uint64_t at = raw(function.body.low); at < raw(function.body.high); ++at, ++offsets) {
        EXPECT_EQ(body->is_boundary(LinkAddress{at}), boundaries.contains(at)) << function.symbol;
      }
      for (const Site& site : function.sites) {
        EXPECT_TRUE(boundaries.contains(raw(site.address))) << function.symbol << " " << site.instruction;
      }
    }
    EXPECT_GT(offsets, 500U);
  }
}

}  // namespace
}  // namespace diagnose::target
