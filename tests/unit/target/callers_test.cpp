#include "target/callers.h"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <unistd.h>

#include "base/fd.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSubsetOf;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using Addresses = std::set<std::uint64_t>;

// One line of `objdump -d`.
struct Line {
  std::string function;
  std::uint64_t address = 0;
  std::string text;  // from the mnemonic on
};

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}

std::vector<std::string> output(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::vector<std::string> lines;
  char text[1024];
  while (std::fgets(text, sizeof text, pipe.get()) != nullptr) lines.emplace_back(text);
  return lines;
}

std::vector<Line> disassemble(const std::string& path) {
  // objdump names the slots of an executable, not those of a library.
  std::map<std::string, std::string> slots;  // "# 3fd8 " -> "<calls_library@slot>"
  for (const std::string& line : output("objdump -R " + path)) {
    std::istringstream words(line);
    std::string slot, type, symbol;
    words >> slot >> type >> symbol;
    const auto digits = std::min(slot.find_first_not_of('0'), slot.size());
    slots["# " + slot.substr(digits) + " "] = "<" + symbol.substr(0, symbol.find('@')) + "@slot>";
  }
  std::vector<Line> lines;
  std::string function;
  for (const std::string& line : output("objdump -dw " + path)) {
    const auto open = line.find('<');
    if (line.find(">:\n") != std::string::npos) function = line.substr(open + 1, line.find(">:") - open - 1);
    const auto colon = line.find(":\t");
    const auto tab = line.find('\t', colon + 2);
    if (colon == std::string::npos || tab == std::string::npos) continue;
    lines.push_back({function, std::stoull(line.substr(0, colon), nullptr, 16), line.substr(tab + 1)});
    const auto slot = line.find("# ");
    if (slot == std::string::npos) continue;
    lines.back().text += slots[line.substr(slot, line.find(' ', slot + 2) + 1 - slot)];
  }
  return lines;
}

// Return addresses of all calls to `callee`, and to what jumps to it, as objdump names them.
Addresses truth(const std::vector<Line>& lines, const std::string& callee) {
  std::set<std::string> names = {callee};
  const auto goes_to = [&](const Line& line) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return line.text.find("<" + name + ">") != std::string::npos ||
             line.text.find("<" + name + "@") != std::string::npos;
    });
  };
  const auto in_stub = [](const Line& line) {
    return line.function.find("@plt") != std::string::npos || line.function.starts_with(".plt");
  };
  for (bool grown = true; grown;) {
    grown = false;
    for (const Line& line : lines) {
      if (line.text.starts_with('j') && !in_stub(line) && goes_to(line)) grown |= names.insert(line.function).second;
    }
  }
  Addresses found;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (lines[i].text.starts_with("call") && goes_to(lines[i])) found.insert(lines[i + 1].address);
  }
  return found;
}

struct Opened {
  explicit Opened(const std::string& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), name(path) {
    EXPECT_TRUE(fd) << path;
  }
  [[nodiscard]] CallersAnswer callers(std::vector<CallersRequest::Callee> callees, std::size_t most = 0) const {
    auto answer = find_callers({.fd = fd.get(), .name = name, .callees = std::move(callees), .callers_max = most});
    EXPECT_TRUE(answer) << answer.error().text();
    return answer ? *answer : CallersAnswer{};
  }
  [[nodiscard]] std::vector<ReturnSite> behind(const std::vector<LinkAddress>& addresses) const {
    const auto image = ElfImage::open(fd.get(), name);
    std::vector<FileOffset> offsets;
    for (const LinkAddress address : addresses)
      offsets.push_back(image->file_offset(address).value_or(FileOffset{~0ULL}));
    auto answer = find_return_sites({.fd = fd.get(), .name = name, .return_offsets = std::move(offsets)});
    EXPECT_TRUE(answer) << answer.error().text();
    return answer ? *answer : std::vector<ReturnSite>{};
  }
  [[nodiscard]] LinkAddress address(const std::string& symbol) const {
    const auto image = ElfImage::open(fd.get(), name);
    for (const Symbol& candidate : image->symbols()) {
      if (candidate.name == symbol) return candidate.address;
    }
    ADD_FAILURE() << "no " << symbol << " in " << name;
    return {};
  }
  Fd fd;
  std::string name;
};

Addresses returns(const CallersAnswer& answer, std::uint32_t function = 0) {
  Addresses found;
  for (const Caller& caller : answer.callers) {
    if (caller.function == function) {
      EXPECT_TRUE(found.insert(raw(caller.site.return_address)).second) << "twice";
    }
  }
  return found;
}

std::set<std::string> callers_of(const CallersAnswer& answer) {
  std::set<std::string> found;
  for (const Caller& caller : answer.callers) found.insert(caller.in);
  return found;
}

class EveryLinking : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Callers, EveryLinking,
                         testing::Values("calls", "calls_now", "calls_cet", "calls_no_plt", "calls_nopie"));

TEST_P(EveryLinking, ShowsTheCallsToAFunctionOfTheFile) {
  const Opened file(program(GetParam()));
  const auto lines = disassemble(file.name);
  const auto answer = file.callers({{.function = 0, .address = file.address("callee"), .symbols = {"callee"}}});
  const Addresses expected = truth(lines, "callee");
  EXPECT_GE(expected.size(), 6U);  // recursive, two of twice, tail, tail_of_tail, conditional_tail
  EXPECT_EQ(returns(answer), expected);
  EXPECT_THAT(answer.without, IsEmpty());
  EXPECT_FALSE(answer.too_many);
  EXPECT_THAT(callers_of(answer), UnorderedElementsAre("main", "recursive", "twice"));
}

TEST_P(EveryLinking, ShowsTheCallsToAFunctionOfALibrary) {
  const Opened file(program(GetParam()));
  const auto answer = file.callers({{.function = 0, .address = {}, .symbols = {"calls_library@@Base"}}});
  const Addresses expected = truth(disassemble(file.name), "calls_library");
  EXPECT_GE(expected.size(), 3U);  // main, library_tail's in main, twice
  EXPECT_EQ(returns(answer), expected);
}

TEST_P(EveryLinking, ShowsTheCallsWithinTheLibrary) {
  const Opened file(program("lib" + std::string(GetParam()) + ".so"));
  const auto answer =
      file.callers({{.function = 0, .address = file.address("calls_library"), .symbols = {"calls_library"}}});
  EXPECT_EQ(returns(answer), truth(disassemble(file.name), "calls_library"));
  EXPECT_THAT(returns(answer), SizeIs(2));
  EXPECT_THAT(callers_of(answer), UnorderedElementsAre("calls_within"));
}

TEST_P(EveryLinking, KeepsTheCalleesOfOneSearchApart) {
  const Opened file(program(GetParam()));
  const auto lines = disassemble(file.name);
  const auto answer = file.callers({{.function = 3, .address = file.address("callee"), .symbols = {}},
                                    {.function = 5, .address = {}, .symbols = {"calls_library"}},
                                    {.function = 7, .address = file.address("tail"), .symbols = {}}});
  EXPECT_EQ(returns(answer, 3), truth(lines, "callee"));
  EXPECT_EQ(returns(answer, 5), truth(lines, "calls_library"));
  EXPECT_EQ(returns(answer, 7), truth(lines, "tail"));
}

TEST_P(EveryLinking, PutsTheSiteOnTheStraightLineBehindTheCall) {
  const Opened file(program(GetParam()));
  const auto lines = disassemble(file.name);
  const auto image = ElfImage::open(file.fd.get(), file.name);
  Addresses boundaries;
  for (const Line& line : lines) boundaries.insert(line.address);
  const auto answer = file.callers({{.function = 0, .address = file.address("callee"), .symbols = {}}});
  for (const Caller& caller : answer.callers) {
    EXPECT_EQ(caller.site.kind, SiteKind::caller);
    EXPECT_THAT(boundaries, Contains(raw(caller.site.address)));
    EXPECT_GE(caller.site.address, caller.site.return_address);
    EXPECT_EQ(image->file_offset(caller.site.address), caller.site.offset);
    EXPECT_EQ(image->link_address(caller.site.offset), caller.site.address);
    EXPECT_EQ(caller.site.bytes.size(), caller.site.length);
  }
}

TEST(Callers, OfAStrippedFileAreFoundThroughItsUnwindTable) {
  const Opened whole(program("calls"));
  const Opened stripped(program("calls_stripped"));
  const auto lines = disassemble(whole.name);
  const auto answer = stripped.callers({{.function = 0, .address = whole.address("callee"), .symbols = {}},
                                        {.function = 1, .address = {}, .symbols = {"calls_library"}}});
  EXPECT_EQ(returns(answer, 0), truth(lines, "callee"));
  EXPECT_EQ(returns(answer, 1), truth(lines, "calls_library"));
  EXPECT_THAT(callers_of(answer), UnorderedElementsAre(""));
}

TEST(Callers, BeyondTheLimitAreNotListedAndThatIsSaid) {
  const Opened file(program("calls"));
  const auto answer = file.callers({{.function = 0, .address = file.address("callee"), .symbols = {}}}, 2);
  EXPECT_THAT(answer.callers, SizeIs(2));
  EXPECT_TRUE(answer.too_many);
}

TEST(Callers, OfAFunctionThatNobodyCallsAreNone) {
  const Opened file(program("calls"));
  EXPECT_THAT(file.callers({{.function = 0, .address = {}, .symbols = {"no_such_function"}}}).callers, IsEmpty());
  EXPECT_THAT(file.callers({}).callers, IsEmpty());
}

// The system's own libraries hold what no fixture of ours does: hand-written code, folded functions, cold parts.
TEST(Callers, OfTheSystemsMostCalledFunctionsAreThoseThatObjdumpNames) {
  const Opened file("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
  const auto lines = disassemble(file.name);
  for (const std::string symbol : {"_ZdlPv", "__cxa_throw", "_ZNSs6appendEPKcm", "strlen"}) {
    std::vector<CallersRequest::Callee> callees(1);
    callees[0].symbols = {symbol};
    const auto image = ElfImage::open(file.fd.get(), file.name);
    for (const Symbol& candidate : image->symbols()) {
      if (candidate.name == symbol) callees[0].address = candidate.address;
    }
    const auto found = file.callers(callees, 100'000);
    Addresses places = returns(found);
    for (const auto& without : found.without) places.insert(raw(without.return_address));
    // Direct calls only: objdump knows no function around most of a stripped file's code, so its tails are unknown.
    Addresses direct;
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
      const bool names_it = lines[i].text.find("<" + symbol + "@") != std::string::npos;
      if (lines[i].text.starts_with("call") && names_it) direct.insert(lines[i + 1].address);
    }
    EXPECT_FALSE(direct.empty()) << symbol;
    EXPECT_THAT(direct, IsSubsetOf(places)) << symbol;
    Addresses behind_calls;
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
      if (lines[i].text.starts_with("call")) behind_calls.insert(lines[i + 1].address);
    }
    EXPECT_THAT(places, IsSubsetOf(behind_calls)) << symbol;
  }
}

TEST(ReturnSites, StandBehindEachCallThatRan) {
  const Opened file(program("calls"));
  std::vector<LinkAddress> addresses;
  for (const std::uint64_t address : truth(disassemble(file.name), "callee")) addresses.push_back(LinkAddress{address});
  const auto sites = file.behind(addresses);
  ASSERT_THAT(sites, SizeIs(addresses.size()));
  for (const ReturnSite& site : sites) {
    ASSERT_TRUE(site.site) << site.why;
    EXPECT_EQ(site.site->return_address, site.return_address);
    EXPECT_THAT(site.in, testing::AnyOf("main", "recursive", "twice"));
  }
}

TEST(ReturnSites, OutsideOfTheCodeOrInsideOfAnInstructionAreRefused) {
  const Opened file(program("calls"));
  const auto lines = disassemble(file.name);
  const auto call = std::find_if(lines.begin(), lines.end(), [](const Line& line) {
    return line.text.starts_with("call") && line.text.find("<callee>") != std::string::npos;
  });
  ASSERT_NE(call, lines.end());
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x40}, ~std::uint64_t{0}, std::uint64_t{1} << 40U,
                                      call->address + 1, call->address + 4}) {
    const auto sites = file.behind({LinkAddress{address}});
    ASSERT_THAT(sites, SizeIs(1));
    EXPECT_FALSE(sites[0].site) << address;
    EXPECT_THAT(sites[0].why, Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace diagnose::target
