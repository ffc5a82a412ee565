#include "target/names.h"

#include <gtest/gtest.h>
#include <string>

namespace diagnose::target {
namespace {

struct Case {
  const char* demangled;
  const char* name;
  const char* parameters;
  const char* qualifiers;
  const char* plain;  // without templates and ABI tags
};

class TakenApart : public testing::TestWithParam<Case> {};

TEST_P(TakenApart, GivesNameParametersAndQualifiers) {
  const NameParts parts = take_apart(GetParam().demangled);
  EXPECT_EQ(parts.name, GetParam().name);
  EXPECT_EQ(parts.parameters, GetParam().parameters);
  EXPECT_EQ(parts.qualifiers, GetParam().qualifiers);
  EXPECT_EQ(without_templates(parts.name), GetParam().plain);
}

INSTANTIATE_TEST_SUITE_P(
    Names, TakenApart,
    testing::Values(
        Case{"main", "main", "", "", "main"}, Case{"ns::f(int)", "ns::f", "(int)", "", "ns::f"},
        Case{"int ns::f<int>(int)", "ns::f<int>", "(int)", "", "ns::f"},
        Case{"unsigned long ns::f<unsigned long>(unsigned long)", "ns::f<unsigned long>", "(unsigned long)", "",
             "ns::f"},
        Case{"ns::v<a<b>, (c)3>::f(int (*)(char)) const", "ns::v<a<b>, (c)3>::f", "(int (*)(char))", "const",
             "ns::v::f"},
        Case{"A::f() &&", "A::f", "()", "&&", "A::f"}, Case{"A::f() const &", "A::f", "()", "const &", "A::f"},
        Case{"(anonymous namespace)::f(int)", "(anonymous namespace)::f", "(int)", "", "(anonymous namespace)::f"},
        Case{"ns::(anonymous namespace)::A::f()", "ns::(anonymous namespace)::A::f", "()", "",
             "ns::(anonymous namespace)::A::f"},
        Case{"A::operator()(int) const", "A::operator()", "(int)", "const", "A::operator()"},
        Case{"A::operator[](unsigned long)", "A::operator[]", "(unsigned long)", "", "A::operator[]"},
        Case{"A::operator->() const", "A::operator->", "()", "const", "A::operator->"},
        Case{"bool operator<(A const&, A const&)", "operator<", "(A const&, A const&)", "", "operator<"},
        Case{"std::ostream& operator<< <char>(std::ostream&, char)", "operator<< <char>", "(std::ostream&, char)", "",
             "operator<<"},
        Case{"bool operator< <int>(int)", "operator< <int>", "(int)", "", "operator<"},
        Case{"A::operator unsigned long() const", "A::operator unsigned long", "()", "const",
             "A::operator unsigned long"},
        Case{"A::operator bool()", "A::operator bool", "()", "", "A::operator bool"},
        Case{"operator new(unsigned long)", "operator new", "(unsigned long)", "", "operator new"},
        Case{"operator delete[](void*)", "operator delete[]", "(void*)", "", "operator delete[]"},
        Case{"operator\"\" _km(long double)", "operator\"\" _km", "(long double)", "", "operator\"\" _km"},
        Case{"f(int)::{lambda(int)#1}::operator()(int) const", "f(int)::{lambda(int)#1}::operator()", "(int)", "const",
             "f(int)::{lambda(int)#1}::operator()"},
        Case{"A::f() const::{lambda()#2}::operator()() const", "A::f() const::{lambda()#2}::operator()", "()", "const",
             "A::f() const::{lambda()#2}::operator()"},
        Case{"A::label[abi:cxx11]()", "A::label[abi:cxx11]", "()", "", "A::label"},
        Case{"decltype(auto) ns::f<int>(int)", "ns::f<int>", "(int)", "", "ns::f"},
        Case{"decltype ((fp).g(1)) ns::f<A>(A)", "ns::f<A>", "(A)", "", "ns::f"},
        Case{"f(int) [clone .constprop.0]", "f", "(int)", "", "f"}, Case{"A::~A()", "A::~A", "()", "", "A::~A"},
        Case{"void f<&(A::operator<(A const&))>(int)", "f<&(A::operator<(A const&))>", "(int)", "", "f"},
        Case{"core::fmt::Write::write_fmt", "core::fmt::Write::write_fmt", "", "", "core::fmt::Write::write_fmt"},
        Case{"<T as core::Trait>::method", "<T as core::Trait>::method", "", "", "<T as core::Trait>::method"},
        Case{"alloc::vec::Vec<T,A>::push", "alloc::vec::Vec<T,A>::push", "", "", "alloc::vec::Vec::push"},
        Case{"mycrate::f::<u8>", "mycrate::f::<u8>", "", "", "mycrate::f"}));

// Names from a hostile symbol table must not send the parser out of bounds or round in circles.
TEST(NameParts, TakesBrokenNamesInItsStride) {
  for (const char* broken :
       {"",    "(",  ")",     "<",      ">", "f(", "f<",    "operator",    "operator<", "operator ",   " ",
        "a::", "::", "f(int", "f)int(", "{", "}",  "[abi:", "f() const::", "decltype(", "operator\"\""}) {
    const NameParts parts = take_apart(broken);
    (void)without_templates(parts.name);
    (void)without_last_template(parts.name);
    (void)comparable(broken);
    EXPECT_LE(parts.name.size(), std::string(broken).size()) << broken;
  }
}

TEST(Demangle, ReadsCxxAndBothRustManglings) {
  EXPECT_EQ(demangle("_ZN4shop4Cart8checkoutEi"), "shop::Cart::checkout(int)");
  EXPECT_EQ(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"), "core::fmt::Write::write_fmt");
  EXPECT_EQ(demangle("_RNvC6_123foo3bar"), "123foo::bar");
  EXPECT_EQ(demangle("main"), "main");
  EXPECT_EQ(demangle("_Znonsense"), "_Znonsense");
  EXPECT_EQ(demangle("_Z" + std::string(1'000'000, 'P')).size(), 1'000'002U);  // deeper than a demangler's stack
}

TEST(Clones, BelongToTheirFunction) {
  EXPECT_EQ(without_clones("f.constprop.0"), "f");
  EXPECT_EQ(without_clones("f.isra.0.constprop.3"), "f");
  EXPECT_EQ(without_clones("f.part.0.cold"), "f");
  EXPECT_EQ(without_clones("f.lto_priv.12"), "f");
  EXPECT_EQ(without_clones("f.partial"), "f.partial");
  EXPECT_EQ(without_clones(".cold"), ".cold");
  EXPECT_TRUE(is_cold("f.cold"));
  EXPECT_TRUE(is_cold("f.cold.7"));
  EXPECT_FALSE(is_cold("f.colder"));
  EXPECT_FALSE(is_cold("cold"));
  EXPECT_EQ(cold_parent("f.isra.0.cold"), "f.isra.0");
}

TEST(Parameters, AreComparedWithoutSpacesAndWithConstBehindItsType) {
  EXPECT_EQ(comparable("(int, char const*)"), "(int,charconst*)");
  EXPECT_EQ(comparable("(int,const char *)"), comparable("(int, char const*)"));
  EXPECT_EQ(comparable("(std::vector<const A*> const&)"), comparable("(const std::vector<A const*>&)"));
  EXPECT_EQ(comparable("(const std::string&)"),
            comparable("(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)"));
  EXPECT_EQ(comparable("(void)"), "()");
  EXPECT_NE(comparable("(char*)"), comparable("(char const*)"));
}

TEST(EditDistance, CountsChangesUpToItsBound) {
  EXPECT_EQ(edit_distance("checkout", "checkout", 9), 0U);
  EXPECT_EQ(edit_distance("chekout", "checkout", 9), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting", 9), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting", 2), 2U);
  EXPECT_EQ(edit_distance("", "abc", 9), 3U);
}

}  // namespace
}  // namespace diagnose::target
