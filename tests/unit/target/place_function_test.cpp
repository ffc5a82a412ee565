// Where entries and exits of functions are put, rule by rule, on code written by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "target/placement.h"

namespace diagnose::target {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr LinkAddress start{0x1000};
constexpr int stays = -1;
constexpr std::uint16_t none_needed = 0;
constexpr std::uint16_t rdi = 1U << 7U;
constexpr std::uint16_t rsp = 1U << 4U;

class Code {
 public:
  explicit Code(const Bytes& bytes) : decoder_(*Decoder::make()) {
    parts_.push_back({{start, LinkAddress{raw(start) + bytes.size()}}, bytes});
    code_ = find_exits(decoder_, parts_);
  }
  std::optional<Moved> entry(const EntryWish& wish) { return place_entry(decoder_, parts_, code_, wish, nullptr); }
  std::optional<Moved> exit(const ExitWish& wish = {.memory = false, .result_words = none_needed}) {
    for (const Exit& exit : code_.exits) {
      if (exit.kind == SiteKind::exit) return place_return(decoder_, parts_, code_, exit, wish, nullptr);
    }
    ADD_FAILURE() << "no return: " << code_.error;
    return std::nullopt;
  }
  std::optional<StackCheck> stack_check(const EntryWish& wish) {
    return place_behind_stack_check(decoder_, parts_, code_, wish);
  }
  [[nodiscard]] const Exits& code() const { return code_; }

 private:
  Decoder decoder_;
  std::vector<Stretch> parts_;
  Exits code_;
};

int distance(const std::optional<Moved>& moved) {
  return moved ? static_cast<int>(raw(moved->place.instruction.address) - raw(start)) : stays;
}

struct EntryCase {
  const char* name;
  Bytes bytes;
  std::uint16_t needed;
  int at;
  int cfa_offset = 8;
  bool exits = false;
  bool memory = false;
};

class Entries : public testing::TestWithParam<EntryCase> {};

TEST_P(Entries, StandAtTheFirstCheapInstructionThatMeansTheSame) {
  const EntryCase& wanted = GetParam();
  Code code(wanted.bytes);
  const auto moved = code.entry({.registers = wanted.needed, .memory = wanted.memory, .exits = wanted.exits});
  EXPECT_EQ(distance(moved), wanted.at);
  if (moved) {
    EXPECT_EQ(moved->place.cfa_offset, wanted.cfa_offset);
    EXPECT_FALSE(moved->place.unless);
  }
}

INSTANTIATE_TEST_SUITE_P(
    X86, Entries,
    testing::Values(
        EntryCase{"a_push_stays", {0x55, 0x5d, 0xc3}, none_needed, stays},
        EntryCase{"endbr_push", {0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x5d, 0xc3}, every_register, 4},
        EntryCase{"endbr_nop5", {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44, 0, 0, 0xc3}, every_register, 4},
        EntryCase{
            "a_nop5_behind_anything_else_is_none", {0x31, 0xc0, 0x0f, 0x1f, 0x44, 0, 0, 0xc3}, none_needed, stays},
        EntryCase{"and_is_passed_over", {0x31, 0xc0, 0x0f, 0x1f, 0x44, 0, 0, 0x90, 0xc3}, none_needed, 7},
        EntryCase{"test_jcc", {0x85, 0xff, 0x74, 0x02, 0x31, 0xc0, 0xc3}, every_register, 2},
        EntryCase{"sub_rsp_call", {0x48, 0x83, 0xec, 0x08, 0xe8, 1, 0, 0, 0, 0xc3}, none_needed, 4, 16},
        EntryCase{"sub_rsp_call_with_rsp_unmoved", {0x48, 0x83, 0xec, 0x08, 0xe8, 1, 0, 0, 0, 0xc3}, rsp, stays},
        EntryCase{"an_argument_overwritten", {0x31, 0xff, 0x55, 0x5d, 0xc3}, rdi, stays},
        EntryCase{"an_argument_overwritten_that_nobody_needs", {0x31, 0xff, 0x55, 0x5d, 0xc3}, none_needed, 2},
        EntryCase{"overwritten_by_the_place_itself", {0x48, 0x89, 0xf8, 0x57, 0x5f, 0xc3}, rdi, 3},
        EntryCase{"half_an_argument_overwritten", {0x40, 0xb7, 1, 0x55, 0x5d, 0xc3}, rdi, stays},
        EntryCase{"a_stepped_push_before_it", {0xff, 0x37, 0x90, 0x58, 0xc3}, none_needed, 2, 16},
        EntryCase{"a_store", {0x89, 0x37, 0x90, 0xc3}, rdi, 2},
        EntryCase{"a_store_where_memory_is_read", {0x89, 0x37, 0x90, 0xc3}, rdi, stays, 8, false, true},
        EntryCase{"a_load_where_memory_is_read", {0x8b, 0x37, 0x90, 0xc3}, rdi, 2, 8, false, true},
        // loops
        EntryCase{"a_loop_to_the_place", {0xff, 0xcf, 0x90, 0x75, 0xfd, 0xc3}, none_needed, stays},
        EntryCase{"a_loop_to_before_the_place", {0x31, 0xc0, 0xff, 0xcf, 0x75, 0xfc, 0xc3}, none_needed, stays},
        EntryCase{"a_loop_to_the_entry_is_a_call_more", {0xff, 0xcf, 0x75, 0xfc, 0xc3}, none_needed, 2},
        EntryCase{"unless_exits_share_the_place", {0xff, 0xcf, 0x75, 0xfc, 0xc3}, none_needed, stays, 8, true},
        EntryCase{"a_loop_behind_the_place", {0x31, 0xc0, 0x90, 0xff, 0xcf, 0x75, 0xfc, 0xc3}, none_needed, 2},
        EntryCase{"a_tail_jump_with_exits", {0x89, 0xf8, 0xe9, 0, 1, 0, 0}, none_needed, stays, 8, true},
        EntryCase{"a_tail_jump_without", {0x89, 0xf8, 0xe9, 0, 1, 0, 0}, none_needed, 2},
        // what ends the line
        EntryCase{"a_return", {0x31, 0xc0, 0xc3, 0x90, 0xc3}, none_needed, stays},
        EntryCase{"an_indirect_call", {0x31, 0xc0, 0xff, 0xd0, 0x90, 0xc3}, none_needed, stays},
        EntryCase{"a_system_call", {0x31, 0xc0, 0x0f, 0x05, 0x90, 0xc3}, none_needed, stays},
        EntryCase{"a_repeated_store", {0x31, 0xc0, 0xf3, 0xaa, 0x90, 0xc3}, none_needed, stays},
        EntryCase{"rsp_from_elsewhere", {0x48, 0x89, 0xfc, 0x90, 0xc3}, none_needed, stays},
        // jumps that may go anywhere
        EntryCase{"an_indirect_jump", {0x31, 0xc0, 0x90, 0xff, 0xe0}, none_needed, stays},
        EntryCase{"an_indirect_jump_behind_endbr", {0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x5d, 0xff, 0xe0}, none_needed, 4},
        EntryCase{"a_switch", {0x31, 0xc0, 0x90, 0x3e, 0xff, 0xe0, 0xc3}, none_needed, stays},
        EntryCase{"data_among_the_code", {0x31, 0xc0, 0x90, 0xc3, 0x06}, none_needed, stays}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Entries, AreWatchedForJumpsFromElsewhere) {
  const auto moved = Code({0x31, 0xc0, 0x90, 0xc3}).entry({.registers = none_needed});
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->from, start);
  EXPECT_EQ(moved->to, LinkAddress{raw(start) + 2});
  // Whoever jumps over an endbr64 calls the function.
  const auto behind = Code({0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x5d, 0xc3}).entry({.registers = none_needed});
  ASSERT_TRUE(behind);
  EXPECT_EQ(behind->from, behind->to);
}

TEST(Entries, BehindAStackCheckHaveTheMemoryOfTheCall) {
  // mov %rdi,(%rsi); cmp 0x10(%r14),%rsp; jbe 1f; ret; 1: call; jmp start
  const Bytes go = {0x48, 0x89, 0x3e, 0x49, 0x3b, 0x66, 0x10, 0x76, 0x01, 0xc3, 0xe8, 0, 1, 0, 0, 0xeb, 0xef};
  EXPECT_TRUE(Code(go).stack_check({.registers = none_needed, .memory = false}));
  EXPECT_FALSE(Code(go).stack_check({.registers = none_needed, .memory = true}));
}

struct ExitCase {
  const char* name;
  Bytes bytes;
  int at;
  int unless = -1;
  int cfa_offset = 8;
  int result_register = 0;
  bool needs_memory = false;
};

class Returns : public testing::TestWithParam<ExitCase> {};

TEST_P(Returns, StandAtACheapInstructionThatLeadsToNothingElse) {
  const ExitCase& wanted = GetParam();
  const auto moved = Code(wanted.bytes).exit({.memory = wanted.needs_memory, .result_words = none_needed});
  EXPECT_EQ(distance(moved), wanted.at);
  if (!moved) return;
  EXPECT_EQ(moved->place.cfa_offset, wanted.cfa_offset);
  EXPECT_EQ(moved->place.result_register, wanted.result_register);
  EXPECT_EQ(moved->place.unless ? int{*moved->place.unless} : -1, wanted.unless);
}

INSTANTIATE_TEST_SUITE_P(
    X86, Returns,
    testing::Values(
        // jne fail; add $0x18,%rsp; pop %rbx; ret; fail: call
        ExitCase{"a_stack_protector",
                 {0x90, 0x31, 0xc9, 0x75, 0x06, 0x48, 0x83, 0xc4, 0x18, 0x5b, 0xc3, 0xe8, 1, 0, 0, 0},
                 3,
                 5,
                 8 + 0x18 + 8},
        ExitCase{"a_nop_needs_no_condition", {0x90, 0x31, 0xc9, 0x90, 0x5b, 0xc3}, 3, -1, 16},
        ExitCase{"a_nop5_is_none", {0x31, 0xc9, 0x0f, 0x1f, 0x44, 0, 0, 0xc3}, stays},
        ExitCase{"a_call_is_none", {0xe8, 1, 0, 0, 0, 0x5b, 0xc3}, stays},
        ExitCase{"a_push_is_none", {0x31, 0xc9, 0x50, 0xc3}, stays},
        ExitCase{"the_result_written_behind_it", {0x75, 0x03, 0x31, 0xc0, 0xc3, 0x0f, 0x0b}, stays},
        ExitCase{"the_result_moved_behind_it", {0x75, 0x04, 0x48, 0x89, 0xd8, 0xc3, 0x0f, 0x0b}, 0, 5, 8, 3},
        ExitCase{
            "moved_and_then_its_source_popped", {0x75, 0x05, 0x48, 0x89, 0xd8, 0x5b, 0xc3, 0x0f, 0x0b}, 0, 5, 16, 3},
        ExitCase{"a_store_behind_it", {0x75, 0x05, 0xc6, 0x47, 0x20, 0, 0xc3, 0x0f, 0x0b}, 0, 5},
        ExitCase{"a_store_behind_it_where_memory_is_read",
                 {0x75, 0x05, 0xc6, 0x47, 0x20, 0, 0xc3, 0x0f, 0x0b},
                 stays,
                 -1,
                 8,
                 0,
                 true},
        ExitCase{"a_load_behind_it_where_memory_is_read",
                 {0x75, 0x04, 0x8b, 0x4f, 0x20, 0xc3, 0x0f, 0x0b},
                 0,
                 5,
                 8,
                 0,
                 true},
        ExitCase{"a_loops_branch", {0x31, 0xc9, 0xff, 0xcf, 0x75, 0xfc, 0xc3}, stays},
        ExitCase{"a_loops_forward_exit",  // 1: dec; jne 2f; ret; 2: inc; jmp 1b
                 {0xff, 0xcf, 0x75, 0x01, 0xc3, 0xff, 0xc0, 0xeb, 0xf7},
                 stays},
        ExitCase{"a_jump_between",  // jne 2f; 1: pop; ret; 2: xor; jmp 1b
                 {0x75, 0x02, 0x5b, 0xc3, 0x31, 0xc9, 0xeb, 0xfa},
                 stays},
        ExitCase{"a_jump_to_the_branch_itself",  // jmp 1f; ud2; 1: jne 2f; ret; 2: ud2
                 {0xeb, 0x02, 0x0f, 0x0b, 0x75, 0x01, 0xc3, 0x0f, 0x0b},
                 4,
                 5},
        ExitCase{"leave_loses_the_frame", {0x75, 0x02, 0xc9, 0xc3, 0x0f, 0x0b}, stays},
        ExitCase{"a_branch_that_leaves_is_a_site_of_its_own", {0x74, 0x7f, 0xc3}, stays},
        ExitCase{"a_system_call_between", {0x75, 0x03, 0x0f, 0x05, 0xc3, 0x0f, 0x0b}, stays},
        ExitCase{"jumps_that_may_go_between", {0x75, 0x02, 0x5b, 0xc3, 0xff, 0xe1}, stays}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Exits, StandBehindWhatWritesAFurtherWordOfTheResult) {
  const Bytes code = {0x75, 0x03, 0x31, 0xd2, 0xc3, 0x0f, 0x0b};  // jne fail; xor %edx,%edx; ret; fail: ud2
  constexpr std::uint16_t rcx = 1U << 1U;
  constexpr std::uint16_t rdx = 1U << 2U;
  EXPECT_TRUE(Code(code).exit({.memory = false, .result_words = rcx}));
  EXPECT_FALSE(Code(code).exit({.memory = false, .result_words = rdx}));
}

// cmp 0x10(%r14),%rsp; jbe 1f; push %rbp; pop %rbp; ret; 1: call; jmp start
const Bytes go_function = {0x49, 0x3b, 0x66, 0x10, 0x76, 0x03, 0x55, 0x5d, 0xc3, 0xe8, 0, 1, 0, 0, 0xeb, 0xf0};

TEST(StackChecks, CountOnlyWhenThereIsRoom) {
  const auto check = Code(go_function).stack_check({.registers = none_needed});
  ASSERT_TRUE(check);
  EXPECT_EQ(raw(check->entry.place.instruction.address) - raw(start), 4U);
  EXPECT_EQ(check->entry.place.unless, 6);  // be
  EXPECT_EQ(check->entry.place.cfa_offset, 8);
  EXPECT_EQ(raw(check->again) - raw(start), 14U);
}

TEST(StackChecks, OfALargeFrameAreTwoAndTheLastCounts) {
  // mov %rsp,%r12; sub $0x10000,%r12; jb 1f; cmp 0x10(%r14),%r12; jbe 1f; ret; 1: call; jmp start
  const Bytes large = {0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0,    0, 1, 0, 0x72, 0x07, 0x4d,
                       0x3b, 0x66, 0x10, 0x76, 0x01, 0xc3, 0xe8, 0, 1, 0, 0,    0xeb, 0xe6};
  const auto check = Code(large).stack_check({.registers = none_needed});
  ASSERT_TRUE(check);
  EXPECT_EQ(raw(check->entry.place.instruction.address) - raw(start), 16U);
  EXPECT_FALSE(Code(large).stack_check({.registers = 1U << 12U}));
}

TEST(StackChecks, AreNothingElse) {
  EXPECT_FALSE(Code({0x85, 0xff, 0x74, 0x01, 0xc3, 0x31, 0xc0, 0xc3}).stack_check({.registers = none_needed}));
  Bytes without_call = go_function;
  without_call[9] = 0xb9;  // mov $.., %ecx
  EXPECT_FALSE(Code(without_call).stack_check({.registers = none_needed}));
}

}  // namespace
}  // namespace diagnose::target
