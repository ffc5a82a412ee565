#include "target/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace diagnose::target {
namespace {

using testing::HasSubstr;

// What a program may have: C names, overloads, a template, a member of a template, an operator, clones, a thunk.
const std::vector<std::string> symbols = {
    "SSL_read",                                // 0
    "SSL_write",                               // 1
    "_ZN4shop4Cart8checkoutEi",                // 2  shop::Cart::checkout(int)
    "_ZNK4shop4Cart8checkoutEPKc",             // 3  shop::Cart::checkout(char const*) const
    "_ZN4shop5twiceIiEET_S1_",                 // 4  int shop::twice<int>(int)
    "_ZN4shop5twiceIdEET_S1_",                 // 5  double shop::twice<double>(double)
    "_ZN4shop5ShelfIiE4takeEm",                // 6  shop::Shelf<int>::take(unsigned long)
    "_ZN4shoplsERNS_4CartEi",                  // 7  shop::operator<<(shop::Cart&, int)
    "_ZN4shop4Cart8checkoutEi.constprop.0",    // 8
    "_ZN4shop4Cart8checkoutEi.cold",           // 9
    "_ZThn8_N4shop4Cart8checkoutEi",           // 10 a thunk
    "_ZN4shop4Cart5labelB5cxx11Ev",            // 11 shop::Cart::label[abi:cxx11]()
    "parse.isra.0",                            // 12
    "_ZN4core3fmt5write17h0123456789abcdefE",  // 13 core::fmt::write
    "_ZNSaIcEC1Ev",                            // 14 std::allocator<char>::allocator()
};

std::vector<int> found(const std::string& text) {
  const auto pattern = FunctionPattern::parse(text);
  EXPECT_TRUE(pattern) << pattern.error().text();
  std::vector<int> numbers;
  for (std::size_t i = 0; pattern && i < symbols.size(); ++i) {
    if (pattern->matches(symbols[i])) numbers.push_back(static_cast<int>(i));
  }
  return numbers;
}

using Numbers = std::vector<int>;

TEST(FunctionPattern, MatchesASymbolAsNmPrintsIt) {
  EXPECT_EQ(found("SSL_read"), (Numbers{0}));
  EXPECT_EQ(found("_ZN4shop4Cart8checkoutEi"), (Numbers{2, 8}));
  EXPECT_EQ(found("_ZThn8_N4shop4Cart8checkoutEi"), (Numbers{10}));
  EXPECT_EQ(found("SSL"), (Numbers{}));
}

TEST(FunctionPattern, MatchesEveryOverloadAndCloneButNoThunkAndNoColdPart) {
  EXPECT_EQ(found("shop::Cart::checkout"), (Numbers{2, 3, 8}));
  EXPECT_EQ(found("parse"), (Numbers{12}));
  EXPECT_EQ(found("parse.isra.0"), (Numbers{12}));
}

TEST(FunctionPattern, MatchesOneOverloadByItsParameters) {
  EXPECT_EQ(found("shop::Cart::checkout(int)"), (Numbers{2, 8}));
  EXPECT_EQ(found("shop::Cart::checkout( const char * )"), (Numbers{3}));
  EXPECT_EQ(found("shop::Cart::checkout(char const*) const"), (Numbers{3}));
  EXPECT_EQ(found("shop::Cart::checkout(int) const"), (Numbers{}));
  EXPECT_EQ(found("shop::Cart::checkout(long)"), (Numbers{}));
}

TEST(FunctionPattern, MatchesTemplatesWithAndWithoutTheirArguments) {
  EXPECT_EQ(found("shop::twice"), (Numbers{4, 5}));
  EXPECT_EQ(found("shop::twice<double>"), (Numbers{5}));
  EXPECT_EQ(found("shop::twice<int>(int)"), (Numbers{4}));
  EXPECT_EQ(found("shop::Shelf::take"), (Numbers{6}));
  EXPECT_EQ(found("shop::Shelf<int>::take"), (Numbers{6}));
  EXPECT_EQ(found("shop::Shelf<long>::take"), (Numbers{}));
}

TEST(FunctionPattern, MatchesOperatorsTagsRustAndAbbreviations) {
  EXPECT_EQ(found("shop::operator<<"), (Numbers{7}));
  EXPECT_EQ(found("shop::operator<"), (Numbers{}));
  EXPECT_EQ(found("shop::Cart::label"), (Numbers{11}));
  EXPECT_EQ(found("shop::Cart::label[abi:cxx11]"), (Numbers{11}));
  EXPECT_EQ(found("core::fmt::write"), (Numbers{13}));
  EXPECT_EQ(found("std::allocator::allocator"), (Numbers{14}));
}

TEST(FunctionPattern, MatchesGlobsOverNamesAndSymbols) {
  EXPECT_EQ(found("SSL_*"), (Numbers{0, 1}));
  EXPECT_EQ(found("shop::Cart::*"), (Numbers{2, 3, 8, 11}));
  EXPECT_EQ(found("SSL_[rx]ead"), (Numbers{0}));
  EXPECT_EQ(found("SSL_[!rx]*"), (Numbers{1}));
  EXPECT_EQ(found("SSL_????"), (Numbers{0}));
  EXPECT_EQ(found("*::twice"), (Numbers{4, 5}));
  EXPECT_EQ(found("shop::operator*"), (Numbers{}));  // that operator, not a glob
}

TEST(FunctionPattern, SearchesRegularExpressionsInNamesAndSymbols) {
  EXPECT_EQ(found("re:^SSL_(read|write)$"), (Numbers{0, 1}));
  EXPECT_EQ(found("re:Cart::checkout\\(int\\)"), (Numbers{2, 8}));
  EXPECT_EQ(found("re:^nothing$"), (Numbers{}));
}

// Which of `candidates` match, by their place.
Numbers among(const std::vector<std::string>& candidates, const std::string& text) {
  const auto pattern = FunctionPattern::parse(text);
  EXPECT_TRUE(pattern) << pattern.error().text();
  Numbers numbers;
  for (std::size_t i = 0; pattern && i < candidates.size(); ++i) {
    if (pattern->matches(candidates[i])) numbers.push_back(static_cast<int>(i));
  }
  return numbers;
}

TEST(FunctionPattern, MatchesMembersOfTemplatesAndLambdasAsACompilerNamesThem) {
  const std::vector<std::string> compiled = {
      "_ZN2ns1fEi",                                                           // 0
      "_ZN2ns1fEiPKc",                                                        // 1
      "_ZN3BoxIiE3getEv",                                                     // 2
      "_ZN3BoxINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEE3getEv",  // 3 Box<std::string>::get()
      "_ZN3BoxISt6vectorIiSaIiEEE3getEv",                                     // 4
      "_ZZ4mainENKUliE_clEi",                                                 // 5 main::{lambda(int)#1}::operator()
      "_ZZ4mainENKUlT_E0_clIiEEDaS_",  // 6 auto main::{lambda(auto:1)#2}::..<int>
      "_ZN2ns1CC2Ei",                  // 7
      "_ZN2ns1CD1Ev",                  // 8
      "_ZNK2ns1CcvbEv",                // 9 ns::C::operator bool() const
      "_ZN2ns1gIlEET_S1_",             // 10 long ns::g<long>(long)
      "_ZN12_GLOBAL__N_14keepEl",      // 11
  };
  EXPECT_EQ(among(compiled, "ns::f"), (Numbers{0, 1}));
  EXPECT_EQ(among(compiled, "ns::f(int, char const*)"), (Numbers{1}));
  EXPECT_EQ(among(compiled, "ns::f(int, const char *)"), (Numbers{1}));
  EXPECT_EQ(among(compiled, "Box<int>::get"), (Numbers{2}));
  EXPECT_EQ(among(compiled, "Box<std::string>::get"), (Numbers{3}));
  EXPECT_EQ(among(compiled, "Box<*>::get"), (Numbers{2, 3, 4}));
  EXPECT_EQ(among(compiled, "Box::get"), (Numbers{2, 3, 4}));
  EXPECT_EQ(among(compiled, "main::{lambda*"), (Numbers{5, 6}));
  EXPECT_EQ(among(compiled, "main::{lambda(int)#1}::operator()"), (Numbers{5}));
  EXPECT_EQ(among(compiled, "main::{lambda(int)#1}::operator()(int)"), (Numbers{5}));
  EXPECT_EQ(among(compiled, "ns::C::C"), (Numbers{7}));
  EXPECT_EQ(among(compiled, "ns::C::~C"), (Numbers{8}));
  EXPECT_EQ(among(compiled, "ns::C::operator bool"), (Numbers{9}));
  EXPECT_EQ(among(compiled, "ns::g"), (Numbers{10}));
  EXPECT_EQ(among(compiled, "ns::g<long>"), (Numbers{10}));
  EXPECT_EQ(among(compiled, "ns::g<*>"), (Numbers{10}));
  EXPECT_EQ(among(compiled, "(anonymous namespace)::keep"), (Numbers{11}));
}

TEST(FunctionPattern, MatchesRustInBothManglingsWithoutTheHash) {
  const std::vector<std::string> v0 = {
      "_RNvNtCs9ouqcdLKNTu_7mycrate6module1f",                      // 0
      "_RINvNtCs9ouqcdLKNTu_7mycrate6module7genericdEB4_",          // 1
      "_RINvNtCs9ouqcdLKNTu_7mycrate6module7generichEB4_",          // 2
      "_RNvMNtCs9ouqcdLKNTu_7mycrate6moduleINtB2_5ThinglE3getB4_",  // 3
      "_RNCNvCs9ouqcdLKNTu_7mycrate4main0B3_",                      // 4 mycrate::main::{closure#0}
      "_RNvCs9ouqcdLKNTu_7mycrate4main",                            // 5
  };
  EXPECT_EQ(among(v0, "mycrate::module::f"), (Numbers{0}));
  EXPECT_EQ(among(v0, "mycrate::module::generic"), (Numbers{1, 2}));
  EXPECT_EQ(among(v0, "mycrate::module::generic::<u8>"), (Numbers{2}));
  EXPECT_EQ(among(v0, "<mycrate::module::Thing<i32>>::get"), (Numbers{3}));
  EXPECT_EQ(among(v0, "mycrate::main::{closure#0}"), (Numbers{4}));
  EXPECT_EQ(among(v0, "mycrate::main"), (Numbers{5}));
  EXPECT_EQ(among(v0, "mycrate::module::*"), (Numbers{0, 1, 2}));
  const std::vector<std::string> legacy = {
      "_ZN7mycrate6module1f17h1234567890abcdefE",                            // 0
      "_ZN7mycrate6module7generic17h1234567890abcdefE",                      // 1
      "_ZN7mycrate6module7generic17hfedcba0987654321E",                      // 2
      "_ZN7mycrate6module14Thing$LT$T$GT$3get17h1234567890abcdefE",          // 3
      "_ZN7mycrate4main28_$u7b$$u7b$closure$u7d$$u7d$17h1234567890abcdefE",  // 4
      "_ZN76_$LT$mycrate..module..Thing$LT$f64$GT$$u20$as$u20$mycrate..module..Shape$GT$"
      "4area17h1234567890abcdefE",  // 5
  };
  EXPECT_EQ(among(legacy, "mycrate::module::f"), (Numbers{0}));
  EXPECT_EQ(among(legacy, "mycrate::module::generic"), (Numbers{1, 2}));
  EXPECT_EQ(among(legacy, "mycrate::module::Thing<T>::get"), (Numbers{3}));
  EXPECT_EQ(among(legacy, "mycrate::module::Thing::get"), (Numbers{3}));
  EXPECT_EQ(among(legacy, "mycrate::main::{{closure}}"), (Numbers{4}));
  EXPECT_EQ(among(legacy, "<mycrate::module::Thing<f64> as mycrate::module::Shape>::area"), (Numbers{5}));
}

TEST(FunctionPattern, RefusesWhatIsEmptyTooLongWrongOrCostly) {
  for (const std::string& bad : {std::string(), std::string(5000, 'x'), std::string("re:("), std::string("re:(a)\\1"),
                                 "re:" + std::string(300, 'a'), std::string("re:((a{99}){99}){99}")}) {
    const auto pattern = FunctionPattern::parse(bad);
    ASSERT_FALSE(pattern) << bad.substr(0, 40);
    EXPECT_FALSE(pattern.error().why.empty());
    EXPECT_FALSE(pattern.error().mend.empty());
  }
  EXPECT_THAT(FunctionPattern::parse("re:(a)\\1").error().why, HasSubstr("back-references"));
}

TEST(FunctionPattern, TakesNoExponentialTimeOverAHostileGlob) {
  std::string glob;
  for (int i = 0; i < 300; ++i) glob += "*a";
  const auto pattern = FunctionPattern::parse(glob + "b");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->matches(std::string(4000, 'a')));  // a matcher that backtracks everywhere never gets here
}

}  // namespace
}  // namespace diagnose::target
