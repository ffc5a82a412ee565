// USDT markers: the notes of a file, and every form of argument.
#include "target/usdt.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "target/elf_reader.h"

namespace diagnose::target {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::optional<LinkAddress> symbols(std::string_view name) {
  if (name == "counter") return LinkAddress{0x4040};
  return std::nullopt;
}

struct Parsed {
  Variable variable;
  DebugType type;
};

Parsed argument(std::string_view text) {
  std::vector<DebugType> types;
  const auto found = marker_arguments(text, symbols, types);
  EXPECT_THAT(found, SizeIs(1)) << text;
  if (found.size() != 1) return {};
  EXPECT_EQ(found[0].name, "arg0");
  EXPECT_TRUE(found[0].is_parameter);
  return {found[0], types.at(found[0].type)};
}

Piece piece(std::string_view text) {
  const Parsed parsed = argument(text);
  EXPECT_EQ(parsed.variable.why, "") << text;
  EXPECT_THAT(parsed.variable.pieces, SizeIs(1)) << text;
  return parsed.variable.pieces.empty() ? Piece{} : parsed.variable.pieces.front();
}

TEST(MarkerArguments, OfAllSizesHaveTheirType) {
  struct Case {
    const char* text;
    const char* type;
    std::uint64_t bytes;
    bool is_signed;
  };
  for (const Case& one : std::vector<Case>{{"1@%al", "unsigned char", 1, false},
                                           {"-1@%al", "signed char", 1, true},
                                           {"2@%ax", "unsigned short", 2, false},
                                           {"-2@%ax", "short", 2, true},
                                           {"4@%eax", "unsigned int", 4, false},
                                           {"-4@%eax", "int", 4, true},
                                           {"8@%rax", "unsigned long", 8, false},
                                           {"-8@%rax", "long", 8, true},
                                           {"%rax", "long", 8, true}}) {
    const Parsed parsed = argument(one.text);
    EXPECT_EQ(parsed.type.name, one.type) << one.text;
    EXPECT_EQ(parsed.type.bytes, one.bytes) << one.text;
    EXPECT_EQ(parsed.type.is_signed, one.is_signed) << one.text;
    EXPECT_EQ(parsed.type.kind, DebugType::Kind::integer) << one.text;
    EXPECT_EQ(parsed.variable.pieces.at(0).bytes, one.bytes) << one.text;
  }
}

TEST(MarkerArguments, EveryNameOfARegisterIsItsEncoding) {
  const std::vector<std::vector<std::string>> names = {
      {"rax", "eax", "ax", "al"},      {"rcx", "ecx", "cx", "cl"},      {"rdx", "edx", "dx", "dl"},
      {"rbx", "ebx", "bx", "bl"},      {"rsp", "esp", "sp", "spl"},     {"rbp", "ebp", "bp", "bpl"},
      {"rsi", "esi", "si", "sil"},     {"rdi", "edi", "di", "dil"},     {"r8", "r8d", "r8w", "r8b"},
      {"r9", "r9d", "r9w", "r9b"},     {"r10", "r10d", "r10w", "r10b"}, {"r11", "r11d", "r11w", "r11b"},
      {"r12", "r12d", "r12w", "r12b"}, {"r13", "r13d", "r13w", "r13b"}, {"r14", "r14d", "r14w", "r14b"},
      {"r15", "r15d", "r15w", "r15b"}};
  const std::vector<std::string> sizes = {"8@%", "4@%", "2@%", "1@%"};
  for (std::size_t number = 0; number < names.size(); ++number) {
    for (std::size_t width = 0; width < sizes.size(); ++width) {
      const std::string text = sizes[width] + names[number][width];
      const Piece found = piece(text);
      EXPECT_EQ(found.where, Piece::Where::reg) << text;
      EXPECT_EQ(found.base, number) << text;
    }
  }
  EXPECT_EQ(piece("-4@%rdi").base, 7);  // the low half
}

TEST(MarkerArguments, ConstantsAndPlacesInMemoryAreRead) {
  EXPECT_EQ(piece("4@$5").where, Piece::Where::constant);
  EXPECT_EQ(piece("4@$5").offset, 5);
  EXPECT_EQ(piece("-4@$-5").offset, -5);
  EXPECT_EQ(piece("8@$0x10").offset, 16);
  EXPECT_EQ(piece("8@$18446744073709551615").offset, -1);

  const Piece local = piece("8@-8(%rbp)");
  EXPECT_EQ(local.where, Piece::Where::memory);
  EXPECT_EQ(local.base, 5);
  EXPECT_EQ(local.index, register_none);
  EXPECT_EQ(local.offset, -8);
  EXPECT_EQ(piece("8@(%rsp)").offset, 0);
  EXPECT_EQ(piece("8@-8+24(%rsp)").offset, 16);

  const Piece element = piece("8@(%rax,%rbx,4)");
  EXPECT_EQ(element.base, 0);
  EXPECT_EQ(element.index, 3);
  EXPECT_EQ(element.scale, 4);
  EXPECT_EQ(piece("8@0x10(%rax, %r9)").index, 9);

  for (const char* text : {"8@counter(%rip)", "8@counter"}) {
    const Piece global = piece(text);
    EXPECT_EQ(global.where, Piece::Where::memory) << text;
    EXPECT_EQ(global.base, register_none) << text;
    EXPECT_EQ(global.offset, 0x4040) << text;
  }
  EXPECT_EQ(piece("4@counter+8(%rip)").offset, 0x4048);
  EXPECT_EQ(piece("4@-8+counter(%rip)").offset, 0x4038);
  EXPECT_EQ(piece("8@$counter").where, Piece::Where::address);
}

TEST(MarkerArguments, WhatCannotBeReadSaysWhyAndTheOthersStay) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"1@%ah", "the second byte of a register"},
           {"8f@%xmm0", "in %xmm0, which a uprobe cannot read"},
           {"8@%st(0)", "a uprobe cannot read"},
           {"8@%fs:16", "thread-local storage"},
           {"8@missing(%rip)", "`missing`, which is not among the file's symbols"},
           {"8@8(%rip)", "counts from an instruction"},
           {"8@counter(,%rax,8)", "a symbol's address plus a register"},
           {"8@(%rax,%rbx,3)", "unknown form"},
           {"8@(%rax", "unknown form"},
           {"8@(%eax)", "unknown form"},
           {"8@(%rax,%rsp,1)", "unknown form"},
           {"8@(%rax,%rbx,1,2)", "unknown form"},
           {"8@", "unknown form"},
           {"8@$", "unknown form"},
           {"8@$x y", "not among the file's symbols"},
           {"3@%rax", "unknown size"},
           {"@%rax", "unknown size"},
           {"8@%eax", "%eax is smaller than its 8 bytes"},
           {"8@1(2)(%rax)", "unknown form"},
           {"8@-(%rax)", "unknown form"}}) {
    std::vector<DebugType> types;
    const auto found = marker_arguments("-4@%edi " + text + " 4@$1", symbols, types);
    ASSERT_GE(found.size(), 2U) << text;  // an open parenthesis takes the rest
    EXPECT_THAT(found[1].why, HasSubstr(why)) << text;
    EXPECT_THAT(found[1].pieces, IsEmpty()) << text;
    EXPECT_EQ(found[0].why, "") << text;
    EXPECT_TRUE(found.size() == 2 || found.back().why.empty()) << text;
  }
}

TEST(MarkerArguments, AreAsManyAsTheTextHas) {
  std::vector<DebugType> types;
  EXPECT_THAT(marker_arguments("", symbols, types), IsEmpty());
  EXPECT_THAT(marker_arguments("  ", symbols, types), IsEmpty());
  EXPECT_THAT(marker_arguments("8@%rbp 8@%r12  -4@%eax", symbols, types), SizeIs(3));
  EXPECT_THAT(marker_arguments("8@(%rax, %rbx, 4) 8@%r12", symbols, types), SizeIs(2));
  EXPECT_THAT(marker_arguments(std::string(10'000, '('), symbols, types), SizeIs(1));
}

class MarkersOfAProgram : public testing::Test {
 protected:
  FileAnswer read(const std::string& marker) {
    FileRequest request;
    request.fd = file_.get();
    request.name = "markers";
    request.by = PlaceBy::usdt;
    request.function = marker;
    const auto answer = make_elf_reader()->read(request);
    EXPECT_TRUE(answer) << answer.error().text();
    return answer ? *answer : FileAnswer{};
  }
  Fd file_{::open(TEST_PROGRAMS_DIR "/markers", O_RDONLY | O_CLOEXEC)};
};

TEST_F(MarkersOfAProgram, AreFoundAtAllTheirLocationsWithTheirSemaphore) {
  const FileAnswer step = read("shop:step");
  ASSERT_THAT(step.functions, SizeIs(2));
  EXPECT_THAT(step.functions[0].name, HasSubstr("in_registers"));
  EXPECT_THAT(step.functions[1].name, HasSubstr("elsewhere"));
  EXPECT_EQ(step.functions[0].sites.at(0).semaphore, FileOffset{});
  const FileAnswer guarded = read("shop:guarded");
  ASSERT_THAT(guarded.functions, SizeIs(1));
  EXPECT_NE(guarded.functions[0].sites.at(0).semaphore, FileOffset{});
}

TEST_F(MarkersOfAProgram, OfNoSuchNameAreMissedWithTheNearest) {
  EXPECT_THAT(read("shop:guardet").functions, IsEmpty());
  EXPECT_THAT(read("shop:guardet").nearest, ElementsAre("shop:guarded"));
  EXPECT_THAT(read("python:function__entry").nearest, IsEmpty());
}

TEST_F(MarkersOfAProgram, AreDescribedByTheirArguments) {
  const FileAnswer step = read("shop:step");
  ASSERT_THAT(step.functions, SizeIs(2));
  DescribeRequest request{.fd = file_.get(), .name = "markers"};
  for (const Function& function : step.functions) {
    request.places.push_back({.at = function.sites.at(0).address, .entry = false, .marker = true});
  }
  const auto info = make_elf_reader()->describe(request);
  ASSERT_TRUE(info) << info.error().text();
  EXPECT_TRUE(info->present);
  ASSERT_THAT(info->places, SizeIs(2));
  for (const Described& place : info->places) {
    std::vector<std::string> arguments;
    for (const Variable& variable : place.variables) {
      if (!variable.is_parameter) continue;
      arguments.push_back(info->types.at(variable.type).name + " " + variable.name);
      EXPECT_EQ(variable.why, "");
    }
    EXPECT_THAT(arguments, ElementsAre("long arg0", "int arg1"));
    EXPECT_EQ(place.function, "shop:step");
  }
}

}  // namespace
}  // namespace diagnose::target
