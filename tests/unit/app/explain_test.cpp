#include "app/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace diagnose::app {
namespace {

using target::Piece;

constexpr std::uint8_t rdi = 7;
constexpr std::uint8_t rbp = 5;

Piece in_register(std::uint8_t number, std::uint32_t bytes) {
  return {.where = Piece::Where::reg, .base = number, .bytes = bytes};
}

TEST(PlaceText, ARegisterIsNamedByItsWidth) {
  EXPECT_EQ(place_text({in_register(rdi, 8)}), "%rdi");
  EXPECT_EQ(place_text({in_register(rdi, 4)}), "%edi");
  EXPECT_EQ(place_text({in_register(rdi, 2)}), "%di");
  EXPECT_EQ(place_text({in_register(rdi, 1)}), "%dil");
  EXPECT_EQ(place_text({in_register(1, 1)}), "%cl");
  EXPECT_EQ(place_text({in_register(9, 8)}), "%r9");
  EXPECT_EQ(place_text({in_register(9, 4)}), "%r9d");
}

TEST(PlaceText, MemoryIsWrittenAsAnOperand) {
  EXPECT_EQ(place_text({{.where = Piece::Where::memory, .base = rbp, .offset = -20, .bytes = 4}}), "-0x14(%rbp)");
  EXPECT_EQ(place_text({{.where = Piece::Where::memory, .base = rdi, .index = 1, .scale = 4, .offset = 8}}),
            "0x8(%rdi,%rcx,4)");
  EXPECT_EQ(place_text({{.where = Piece::Where::memory, .offset = 0x4010}}), "0x4010");
}

TEST(PlaceText, APartedValueHasAllItsPlaces) {
  EXPECT_EQ(place_text({in_register(0, 8), in_register(2, 8)}), "%rax and %rdx");
}

TEST(PlaceText, WhatIsNowhereSaysSo) {
  EXPECT_EQ(place_text({{.where = Piece::Where::gone}}), "optimised away");
  EXPECT_EQ(place_text({{.where = Piece::Where::constant, .offset = 5}}), "the constant 5");
  EXPECT_EQ(place_text({}), "");
}

TEST(Signature, IsAsTheSourceHasIt) {
  std::vector<target::DebugType> types(3);
  types[1].name = "client *";
  types[2].name = "int";
  target::Described place;
  place.function = "call";
  place.variables = {{.name = "this", .type = 1, .is_artificial = true, .pieces = {}, .why = {}},
                     {.name = "c", .type = 1, .pieces = {}, .why = {}},
                     {.name = "flags", .type = 2, .pieces = {}, .why = {}},
                     {.name = "local", .type = 2, .is_parameter = false, .pieces = {}, .why = {}}};
  EXPECT_EQ(signature(place, types), "call(client *c, int flags)");
  types[1].name = "client*";  // as the reader tells it
  EXPECT_EQ(signature(place, types), "call(client *c, int flags)");
  types[1].name = "char const**";
  EXPECT_EQ(signature(place, types), "call(char const **c, int flags)");
  place.variables.clear();
  EXPECT_EQ(signature(place, types), "call()");
}

}  // namespace
}  // namespace diagnose::app
