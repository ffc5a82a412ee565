#include <algorithm>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "target/describe.h"

namespace diagnose::target {
namespace {

ListAnswer list(const std::string& name, const std::string& pattern, std::size_t most = 0) {
  const std::string path = std::string(TEST_PROGRAMS_DIR) + "/" + name;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ListRequest request;
  request.fd = file.get();
  request.name = path;
  request.pattern = pattern;
  request.functions_max = most;
  auto answer = list_functions(request);
  EXPECT_TRUE(answer) << answer.error().text();
  return answer ? std::move(*answer) : ListAnswer{};
}

TEST(ListFunctions, TellsNameSizeAndTheLineOfTheDeclaration) {
  const ListAnswer answer = list("described_O0", "shop::Cart::add");
  ASSERT_EQ(answer.functions.size(), 1U);
  const Listed& add = answer.functions.front();
  EXPECT_EQ(add.symbol, "_ZN4shop4Cart3addEiNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE");
  EXPECT_THAT(add.name, ::testing::StartsWith("shop::Cart::add(int, "));
  EXPECT_GT(add.size, 20U);
  EXPECT_THAT(add.file, ::testing::EndsWith("described.cpp"));
  EXPECT_GT(add.line, 90U);
  EXPECT_FALSE(answer.cut);
}

TEST(ListFunctions, IsSortedByNameAndHasEachAddressOnce) {
  const ListAnswer answer = list("described_O2", "");
  EXPECT_GT(answer.functions.size(), 50U);
  EXPECT_TRUE(std::is_sorted(answer.functions.begin(), answer.functions.end(),
                             [](const Listed& a, const Listed& b) { return a.name < b.name; }));
  std::vector<std::uint64_t> addresses;
  for (const Listed& one : answer.functions) addresses.push_back(raw(one.address));
  std::sort(addresses.begin(), addresses.end());
  EXPECT_EQ(std::adjacent_find(addresses.begin(), addresses.end()), addresses.end());
}

TEST(ListFunctions, StopsAtTheBoundAndSaysSo) {
  const ListAnswer answer = list("many", "many_*", 100);
  EXPECT_EQ(answer.functions.size(), 100U);
  EXPECT_TRUE(answer.cut);
  EXPECT_EQ(answer.functions.front().name, "many_0000");
  EXPECT_EQ(answer.functions.back().name, "many_0099");
}

TEST(ListFunctions, WithoutDebugInformationHasNoLines) {
  const ListAnswer answer = list("threads_stripped", "*");
  ASSERT_FALSE(answer.functions.empty());
  EXPECT_TRUE(answer.functions.front().file.empty());
}

TEST(ListFunctions, CountsInlinedCopies) {
  const ListAnswer answer = list("inlined", "*");
  EXPECT_TRUE(
      std::any_of(answer.functions.begin(), answer.functions.end(), [](const Listed& one) { return one.inlined > 0; }));
}

}  // namespace
}  // namespace diagnose::target
