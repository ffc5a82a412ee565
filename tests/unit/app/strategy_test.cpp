#include "app/strategy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace diagnose::app {
namespace {

using attach::Strategy;
using spec::ReturnStrategy;
using testing::HasSubstr;

// A function of three breakpoints: a cheap entry, and two exits of cost `exits`.
target::Function function(target::Cost exits = target::Cost::stepped) {
  target::Function made;
  made.name = "f";
  made.sites.resize(3);
  made.sites[0].cost = target::Cost::emulated;
  for (std::size_t at = 1; at < made.sites.size(); ++at) {
    made.sites[at].kind = target::SiteKind::exit;
    made.sites[at].cost = exits;
  }
  return made;
}

target::Function leaf() {
  target::Function made = function();
  made.leaf = true;
  return made;
}

Surroundings plain_c() {
  return {};
}

Surroundings throwing() {
  Surroundings around;
  around.unwinds = {"libstdc++.so.6: defines __cxa_throw"};
  return around;
}

Strategy automatic(const target::Function& of, const Surroundings& around) {
  return choose_return(ReturnStrategy::automatic, of, around).value().strategy;
}

TEST(Strategy, ALeafIsGivenATrampolineEvenWhereOthersThrow) {
  EXPECT_EQ(automatic(leaf(), throwing()), Strategy::trampoline);
}

TEST(Strategy, ALeafIsGivenNoneWhereThreadsAreCancelledInTheMiddleOfIt) {
  Surroundings around = throwing();
  around.unwinds.emplace_back("imports pthread_cancel");
  EXPECT_EQ(automatic(leaf(), around), Strategy::callers);
}

TEST(Strategy, AProgramWithoutAnUnwinderIsGivenTrampolines) {
  EXPECT_EQ(automatic(function(), plain_c()), Strategy::trampoline);
}

TEST(Strategy, WhereExceptionsMayPassTheCallersAreProbedAndTheReasonIsTold) {
  const auto chosen = choose_return(ReturnStrategy::automatic, function(), throwing()).value();
  EXPECT_EQ(chosen.strategy, Strategy::callers);
  EXPECT_THAT(chosen.why, HasSubstr("__cxa_throw"));
}

TEST(Strategy, CheapExitsAreAsGoodAsCallersAndNeedNoLearning) {
  EXPECT_EQ(automatic(function(target::Cost::emulated), throwing()), Strategy::sites);
}

TEST(Strategy, AResultIsSeenAtTheCallersOfWhatIsLeftByAJump) {
  target::Function jumps = function(target::Cost::emulated);
  jumps.sites[1].kind = target::SiteKind::tail;
  const auto chosen = [&](bool needs_result) {
    return choose_return(ReturnStrategy::automatic, jumps, throwing(), needs_result).value().strategy;
  };
  EXPECT_EQ(chosen(false), Strategy::sites);
  EXPECT_EQ(chosen(true), Strategy::callers);
}

TEST(Strategy, ProcessesToComeAndModulesThatCannotBeReadAreNoProof) {
  Surroundings to_come = plain_c();
  to_come.all_known = false;
  EXPECT_EQ(automatic(function(), to_come), Strategy::callers);
  Surroundings unread = plain_c();
  unread.provable = false;
  EXPECT_EQ(automatic(function(), unread), Strategy::sites);
}

TEST(Strategy, ASeccompFilterForbidsTheTrampolinesSystemCall) {
  Surroundings around = plain_c();
  around.filter_may_kill = true;
  EXPECT_NE(automatic(leaf(), around), Strategy::trampoline);
  EXPECT_FALSE(choose_return(ReturnStrategy::trampoline, leaf(), around)) << "whoever insists";
}

TEST(Strategy, ALeafIsLeftByReturnsAloneWhereNobodyJumpsOrCancels) {
  const auto only_returns = [](const Surroundings& around) {
    return choose_return(ReturnStrategy::automatic, leaf(), around).value().only_returns;
  };
  EXPECT_TRUE(only_returns(plain_c()));
  EXPECT_FALSE(choose_return(ReturnStrategy::automatic, function(), plain_c()).value().only_returns);
  Surroundings jumping = plain_c();
  jumping.jumps = true;
  EXPECT_FALSE(only_returns(jumping));
  Surroundings to_come = plain_c();
  to_come.all_known = false;
  EXPECT_FALSE(only_returns(to_come));
}

TEST(Strategy, AFunctionThatLooksAtItsReturnAddressKeepsIt) {
  target::Function looks = leaf();
  looks.reads_return_address = true;
  EXPECT_EQ(automatic(looks, plain_c()), Strategy::callers);
}

TEST(Strategy, AnEntryThatWasMovedPastAPushHasNoReturnAddressBeneathIt) {
  target::Function moved = function();
  moved.sites.front().cfa_offset = 16;
  EXPECT_EQ(automatic(moved, plain_c()), Strategy::callers);
  EXPECT_FALSE(choose_return(ReturnStrategy::trampoline, moved, plain_c()));
}

TEST(Strategy, GoIsGivenItsExitsAndNothingElseEvenIfTheUserInsists) {
  target::Function go = leaf();
  go.go = true;
  EXPECT_EQ(automatic(go, plain_c()), Strategy::sites);
  EXPECT_FALSE(choose_return(ReturnStrategy::trampoline, go, plain_c()));
  EXPECT_FALSE(choose_return(ReturnStrategy::callers, go, plain_c()));
}

TEST(Strategy, AUserMayInsistOnATrampolineAndIsToldWhatSpeaksAgainstIt) {
  const auto chosen = choose_return(ReturnStrategy::trampoline, function(), throwing()).value();
  EXPECT_EQ(chosen.strategy, Strategy::trampoline);
  EXPECT_THAT(chosen.why, HasSubstr("not proved safe"));
}

TEST(Strategy, WhatTheSpecSaysIsDone) {
  EXPECT_EQ(choose_return(ReturnStrategy::sites, leaf(), plain_c()).value().strategy, Strategy::sites);
  EXPECT_EQ(choose_return(ReturnStrategy::callers, leaf(), plain_c()).value().strategy, Strategy::callers);
}

}  // namespace
}  // namespace diagnose::app
