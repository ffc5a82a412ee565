#include "compile/sleepable.h"

#include <gtest/gtest.h>

#include "compile/assembler.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

std::size_t calls_of(const std::vector<bpf_insn>& code, BpfCall helper) {
  return static_cast<std::size_t>(std::count_if(code.begin(), code.end(), [&](const bpf_insn& one) {
    return one.code == (BPF_JMP | BPF_CALL) && one.imm == static_cast<std::int32_t>(helper);
  }));
}

std::vector<bpf_insn> evaluated(const std::string& expression, bool may_sleep) {
  const Evaluated made = evaluate(probe_of({gauge(expression)}), {.may_sleep = may_sleep});
  EXPECT_TRUE(made.faults.empty());
  EXPECT_EQ(made.probe.may_sleep,
            may_sleep && calls_of(made.probe.instruments[0].evaluate.instructions, BpfCall::copy_from_user) > 0);
  return made.probe.instruments[0].evaluate.instructions;
}

TEST(Sleepable, AProbeThatReadsNoMemoryStaysAsItIs) {
  const auto code = evaluated("arg0 + 1", true);
  EXPECT_EQ(calls_of(code, BpfCall::copy_from_user), 0U);
  EXPECT_EQ(code.size(), evaluated("arg0 + 1", false).size());
}

TEST(Sleepable, EveryReadIsTriedAgainWithThePageBroughtIn) {
  const auto code = evaluated("*(u32 *)arg0 + *(u32 *)arg1", true);
  EXPECT_EQ(calls_of(code, BpfCall::probe_read_user), 2U);
  EXPECT_EQ(calls_of(code, BpfCall::copy_from_user), 2U);
}

TEST(Sleepable, WhatIsReadIsTheSame) {
  for (const char* expression : {"*(u32 *)arg0 * 3", "str(arg1) == \"abc\" ? *(u8 *)arg0 : 7"}) {
    for (const bool may_sleep : {false, true}) {
      Stopped stopped;
      std::uint32_t number = 77;
      char text[16] = "abc";
      stopped.machine.map_user(&number, sizeof(number));
      stopped.machine.map_user(text, sizeof(text));
      stopped.arguments(reinterpret_cast<std::uintptr_t>(&number), reinterpret_cast<std::uintptr_t>(text));
      EXPECT_EQ(stopped.run(Function{evaluated(expression, may_sleep)}), 1U) << stopped.error;
      EXPECT_EQ(stopped.value(), std::string(expression).starts_with("*") ? 231 : 77) << expression;
    }
  }
}

TEST(Sleepable, MemoryOfNobodyIsStillCountedAsUnreadable) {
  Stopped stopped;
  stopped.arguments(16);
  EXPECT_EQ(stopped.run(Function{evaluated("*(u32 *)arg0", true)}), 0U) << stopped.error;
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 1U);
}

}  // namespace
}  // namespace diagnose::compile
