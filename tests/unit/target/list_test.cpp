// What could be probed, and which function an address lies in.
#include <algorithm>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "base/limits.h"
#include "target/elf_reader.h"

namespace diagnose::target {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}

Fd opened(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(file) << path << ": build the target `programs`";
  return file;
}

ListAnswer listed(const std::string& path, const std::string& pattern, std::size_t most = 0) {
  const Fd file = opened(path);
  auto answer = make_elf_reader()->list({.fd = file.get(), .name = path, .pattern = pattern, .functions_max = most});
  EXPECT_TRUE(answer) << answer.error().text();
  return answer.value_or(ListAnswer{});
}

std::vector<std::string> names(const ListAnswer& answer) {
  std::vector<std::string> names;
  for (const Listed& one : answer.functions) names.push_back(one.name);
  return names;
}

Result<std::vector<Symbolized>> symbolized(const std::string& path, const std::vector<FileOffset>& offsets) {
  const Fd file = opened(path);
  return make_elf_reader()->symbolize({.fd = file.get(), .name = path, .offsets = offsets});
}

Site entry_of(const std::string& path, const std::string& function) {
  const Fd file = opened(path);
  const auto answer = make_elf_reader()->read({.fd = file.get(), .name = path, .function = function, .build_id = {}});
  if (!answer || answer->functions.size() != 1) {
    ADD_FAILURE() << function;
    return {};
  }
  return answer->functions.front().sites.front();
}

TEST(List, EveryOverloadOfANameIsListedWithItsParameters) {
  EXPECT_THAT(names(listed(program("symbols"), "shop::Cart::checkout")),
              ElementsAre("shop::Cart::checkout(char const*) const", "shop::Cart::checkout(int)",
                          HasSubstr("shop::Cart::checkout(std::")));
}

TEST(List, AFunctionHasItsSymbolAddressAndSize) {
  const auto answer = listed(program("names"), "aliased");
  ASSERT_THAT(answer.functions, SizeIs(1));
  EXPECT_EQ(answer.functions.front().symbol, "aliased");
  EXPECT_EQ(answer.functions.front().address, entry_of(program("names"), "aliased").address);
  EXPECT_GT(answer.functions.front().size, 0U);
  EXPECT_THAT(answer.build_id, SizeIs(40));
}

TEST(List, WithoutAPatternEverythingIsListedByNameEachAddressOnce) {
  const auto answer = listed(program("names"), "");
  const auto all = names(answer);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_THAT(all, Contains("main"));
  EXPECT_EQ(std::count(all.begin(), all.end(), "aliased") + std::count(all.begin(), all.end(), "other_name"), 1);
  EXPECT_FALSE(answer.cut);
}

TEST(List, WhatCannotBeProbedIsNotListed) {
  const auto all = names(listed(program("names"), ""));
  EXPECT_THAT(all, Not(Contains("by_ifunc"))) << "an ifunc's resolver";
  EXPECT_THAT(all, Not(Contains(HasSubstr(".cold"))));
}

TEST(List, ALongListIsCutAndSaysSo) {
  const auto all = listed(program("many"), "many_*", 100);
  EXPECT_THAT(all.functions, SizeIs(100));
  EXPECT_EQ(all.functions.front().name, "many_0000");
  EXPECT_TRUE(all.cut);
  EXPECT_FALSE(listed(program("many"), "many_00*", 100).cut);
}

TEST(List, DebugInformationAddsTheSourceLineIfItIsAskedFor) {
  const auto answer = listed(program("names"), "aliased");
  ASSERT_THAT(answer.functions, SizeIs(1));
  EXPECT_THAT(answer.functions.front().file, testing::EndsWith("names.cpp"));
  EXPECT_GT(answer.functions.front().line, 0U);
  const Fd file = opened(program("names"));
  const auto quick = make_elf_reader()->list(
      {.fd = file.get(), .name = "names", .pattern = "aliased", .sources = false, .functions_max = 0});
  ASSERT_TRUE(quick);
  EXPECT_EQ(quick->functions.front().file, "");
}

TEST(List, InlinedCopiesAreCounted) {
  const auto answer = listed(program("inlined"), "*");
  EXPECT_TRUE(
      std::any_of(answer.functions.begin(), answer.functions.end(), [](const Listed& one) { return one.inlined > 0; }));
}

TEST(List, NothingThatMatchesIsAnEmptyList) {
  EXPECT_THAT(listed(program("names"), "nothing_of_that_name").functions, IsEmpty());
}

TEST(List, ABadPatternIsRefused) {
  const Fd file = opened(program("names"));
  EXPECT_FALSE(make_elf_reader()->list({.fd = file.get(), .name = "names", .pattern = "re:("}));
}

TEST(Symbolize, APlaceInAFunctionIsNamedWithItsDistance) {
  const Site entry = entry_of(program("names"), "aliased");
  const auto places = symbolized(program("names"), {entry.offset, FileOffset{raw(entry.offset) + 3}});
  ASSERT_TRUE(places) << places.error().text();
  ASSERT_THAT(*places, SizeIs(2));
  EXPECT_THAT((*places)[0].function, testing::AnyOf("aliased", "other_name"));
  EXPECT_EQ((*places)[1].function, (*places)[0].function);
  EXPECT_EQ((*places)[1].into, (*places)[0].into + 3);
}

TEST(Symbolize, ACppFunctionIsNamedWithoutItsParameters) {
  const Site entry = entry_of(program("symbols"), "shop::Cart::checkout(int)");
  const auto places = symbolized(program("symbols"), {entry.offset});
  ASSERT_TRUE(places) << places.error().text();
  EXPECT_EQ(places->at(0).function, "shop::Cart::checkout");
}

TEST(Symbolize, APlaceOutsideOfAnyFunctionHasNoName) {
  const auto places = symbolized(program("names"), {FileOffset{0}, FileOffset{1ULL << 60U}});
  ASSERT_TRUE(places) << places.error().text();
  EXPECT_EQ(places->at(0).function, "");
  EXPECT_EQ(places->at(1).function, "");
}

TEST(Symbolize, TooManyPlacesAtOnceAreRefused) {
  EXPECT_FALSE(symbolized(program("names"), std::vector<FileOffset>(limits::symbolized_places + 1)));
}

}  // namespace
}  // namespace diagnose::target
