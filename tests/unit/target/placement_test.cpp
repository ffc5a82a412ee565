#include "target/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace diagnose::target {
namespace {

using Bytes = std::vector<std::uint8_t>;
using testing::HasSubstr;

constexpr LinkAddress start{0x1000};

struct Behind {
  const char* name;
  Bytes bytes;
  bool needs_result;
  int at;  // bytes behind the return address; -1: no place
  int cfa_offset;
  int result_register;
  bool needs_memory = false;
};

class BehindCall : public testing::TestWithParam<Behind> {};

TEST_P(BehindCall, ThePlaceIsTheNearestCheapOne) {
  auto decoder = Decoder::make();
  ASSERT_TRUE(decoder);
  std::string why;
  const auto place =
      place_behind_call(*decoder, GetParam().bytes, start, {}, GetParam().needs_result, GetParam().needs_memory, why);
  if (GetParam().at < 0) {
    EXPECT_FALSE(place);
    EXPECT_NE(why, "");
    return;
  }
  ASSERT_TRUE(place) << why;
  EXPECT_EQ(raw(place->instruction.address) - raw(start), static_cast<std::uint64_t>(GetParam().at));
  EXPECT_EQ(place->cfa_offset, GetParam().cfa_offset);
  EXPECT_EQ(place->result_register, GetParam().result_register);
  EXPECT_FALSE(place->unless);
}

constexpr int none = register_none;
INSTANTIATE_TEST_SUITE_P(
    X86, BehindCall,
    testing::Values(Behind{"a_jump_at_once", {0xeb, 0x10}, true, 0, 0, 0},
                    Behind{"test_eax_jne", {0x85, 0xc0, 0x75, 0x10}, true, 2, 0, 0},
                    Behind{"a_call_behind_a_move_of_the_result", {0x48, 0x89, 0xc3, 0xe8, 1, 0, 0, 0}, true, 3, 0, 0},
                    Behind{
                        "the_result_moved_and_overwritten", {0x48, 0x89, 0xc3, 0x31, 0xc0, 0x74, 0x00}, true, 5, 0, 3},
                    Behind{"the_result_moved_twice",  // mov %rax,%rdi; mov %rdi,%r12; xor %eax,%eax; xor %edi,%edi; je
                           {0x48, 0x89, 0xc7, 0x49, 0x89, 0xfc, 0x31, 0xc0, 0x31, 0xff, 0x74, 0x00},
                           true,
                           10,
                           0,
                           12},
                    Behind{"the_result_exchanged", {0x48, 0x93, 0x31, 0xc0, 0x74, 0x00}, true, 4, 0, 3},
                    Behind{"the_result_exchanged_by_87", {0x49, 0x87, 0xc7, 0x31, 0xc0, 0x74, 0x00}, true, 5, 0, 15},
                    Behind{"half_a_move_is_none", {0x89, 0xc3, 0x31, 0xc0, 0x74, 0x00}, true, 0, 0, 0},
                    Behind{"a_result_overwritten_where_none_is_wanted", {0x31, 0xc0, 0x74, 0x00}, false, 2, 0, none},
                    Behind{"cltq_ends_the_result", {0x48, 0x98, 0x74, 0x00}, true, 0, 0, 0},
                    Behind{"setcc_of_al_ends_it", {0x0f, 0x94, 0xc0, 0x74, 0x00}, true, 0, 0, 0},
                    Behind{"a_load_of_ah_ends_it", {0xb4, 0x01, 0x74, 0x00}, true, 0, 0, 0},
                    Behind{"a_load_of_spl_does_not", {0x40, 0x8a, 0x23, 0x74, 0x00}, true, 0, 0, 0},
                    Behind{"add_rsp", {0x48, 0x83, 0xc4, 0x20, 0x74, 0x00}, true, 4, -0x20, 0},
                    Behind{"sub_rsp_32", {0x48, 0x81, 0xec, 0x00, 0x10, 0, 0, 0x74, 0x00}, true, 7, 0x1000, 0},
                    Behind{"lea_rsp", {0x48, 0x8d, 0x64, 0x24, 0x08, 0x74, 0x00}, true, 5, -8, 0},
                    Behind{"pops_then_a_jump", {0x5b, 0x41, 0x5c, 0xeb, 0x00}, true, 3, -16, 0},
                    Behind{"a_pop_of_rax_ends_the_result", {0x58, 0xeb, 0x00}, true, 0, 0, 0},
                    Behind{"the_push_itself", {0xff, 0x73, 0x08, 0x50}, true, 3, 8, 0},
                    Behind{"leave_ends_the_line", {0xc9, 0x90}, true, 0, 0, 0},
                    Behind{"rsp_from_a_register_ends_the_line", {0x48, 0x89, 0xec, 0x90}, true, 0, 0, 0},
                    Behind{"pop_rsp_ends_the_line", {0x5c, 0x90}, true, 0, 0, 0},
                    Behind{"and_rsp_ends_the_line", {0x48, 0x83, 0xe4, 0xf0, 0x90}, true, 0, 0, 0},
                    Behind{"a_return_ends_the_line", {0xc3, 0x90}, true, 0, 0, 0},
                    Behind{"an_indirect_call_ends_the_line", {0xff, 0xd3, 0x90}, true, 0, 0, 0},
                    Behind{"a_nop5_is_passed_over", {0x0f, 0x1f, 0x44, 0x00, 0x00, 0x74, 0x00}, true, 5, 0, 0},
                    Behind{"a_nop5_of_prefixes_too", {0x66, 0x66, 0x66, 0x66, 0x90, 0xc3}, true, 5, 0, 0},
                    Behind{"a_nop6_is_taken", {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00}, true, 0, 0, 0},
                    Behind{"what_is_refused_is_passed_over", {0xc5, 0xf8, 0x77, 0xc3}, true, 3, 0, 0},
                    Behind{"avx_keeps_the_result", {0xc5, 0xf8, 0x28, 0xc1, 0x74, 0x00}, true, 4, 0, 0},
                    Behind{"avx_to_rax_ends_it", {0xc4, 0xe1, 0xf9, 0x7e, 0xc0, 0x74, 0x00}, true, -1, 0, 0},
                    Behind{"the_first_stepped_if_none_is_cheap", {0x31, 0xdb, 0x31, 0xc9, 0xc3}, true, 0, 0, 0},
                    Behind{"a_store_passed_over", {0x89, 0x03, 0x74, 0x00}, true, 2, 0, 0},
                    Behind{"a_store_where_memory_is_read", {0x89, 0x03, 0x74, 0x00}, true, 0, 0, 0, true},
                    Behind{"a_load_where_memory_is_read", {0x8b, 0x0b, 0x74, 0x00}, true, 2, 0, 0, true},
                    Behind{"a_push_where_memory_is_read", {0x31, 0xdb, 0x53}, true, 2, 0, 0, true},
                    Behind{"data", {0x06}, false, -1, 0, 0}, Behind{"nothing", {}, false, -1, 0, 0},
                    Behind{"only_what_is_refused", {0x0f, 0x0b}, false, -1, 0, 0}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(BehindCall, TheWalkEndsAfterThirtyTwoInstructions) {
  auto decoder = Decoder::make();
  Bytes code;
  for (int i = 0; i < 31; ++i) code.insert(code.end(), {0x31, 0xdb});
  code.push_back(0x90);
  std::string why;
  EXPECT_EQ(place_behind_call(*decoder, code, start, {}, true, false, why)->instruction.length, 1);
  code.insert(code.begin(), {0x31, 0xdb});
  EXPECT_EQ(place_behind_call(*decoder, code, start, {}, true, false, why)->instruction.address, start);
}

}  // namespace
}  // namespace diagnose::target
