// Answers that decode and yet cannot be true.
#include "target/answer_check.h"

#include <gtest/gtest.h>

namespace diagnose::target {
namespace {

FileAnswer one_function() {
  FileAnswer answer;
  answer.build_id = "0a1b";
  answer.functions.resize(1);
  answer.functions.front().sites.resize(1);
  return answer;
}

TEST(AnswerCheck, TakesWhatCanBeTrue) {
  EXPECT_EQ(fault_in(one_function(), FileRequest{}), nullptr);
  EXPECT_EQ(fault_in(CallersAnswer{}, CallersRequest{}), nullptr);
  EXPECT_EQ(fault_in(Traits{}, TraitsRequest{}), nullptr);
  EXPECT_EQ(fault_in(ListAnswer{}, ListRequest{}), nullptr);
}

TEST(AnswerCheck, RefusesFunctionsWithoutAPlaceOrMoreThanAskedFor) {
  FileAnswer answer = one_function();
  answer.functions.resize(3, answer.functions.front());
  FileRequest few;
  few.functions_max = 2;
  EXPECT_STREQ(fault_in(answer, few), "more functions than asked for");
  answer.functions.back().sites.clear();
  EXPECT_STREQ(fault_in(answer, FileRequest{}), "a function has no place to probe");
}

TEST(AnswerCheck, RefusesImpossibleInstructions) {
  const auto with = [](auto change) {
    FileAnswer answer = one_function();
    change(answer.functions.front().sites.front());
    return fault_in(answer, FileRequest{});
  };
  EXPECT_NE(with([](Site& site) { site.length = 16; }), nullptr);
  EXPECT_NE(with([](Site& site) { site.bytes.resize(16); }), nullptr);
  EXPECT_NE(with([](Site& site) { site.cfa_register = 17; }), nullptr);
  EXPECT_NE(with([](Site& site) { site.result_register = 17; }), nullptr);
  EXPECT_NE(with([](Site& site) { site.tail.index = 99; }), nullptr);
  EXPECT_NE(with([](Site& site) { site.tail.scale = 3; }), nullptr);
  EXPECT_NE(with([](Site& site) { site.unless = 16; }), nullptr);
  EXPECT_EQ(with([](Site& site) { site.length = 15; }), nullptr);
}

TEST(AnswerCheck, RefusesCallersOfWhatWasNotAskedFor) {
  CallersAnswer answer;
  answer.callers.push_back({.function = 7, .site = {}, .in = {}});
  EXPECT_NE(fault_in(answer, CallersRequest{}), nullptr);
  CallersRequest request;
  request.callees.push_back({.function = 7, .address = {}, .symbols = {}});
  EXPECT_EQ(fault_in(answer, request), nullptr);
}

DebugType type(DebugType::Kind kind, TypeId target = no_type) {
  DebugType made;
  made.kind = kind;
  made.target = target;
  return made;
}

DebugInfo with_types(std::vector<DebugType> types) {
  DebugInfo info;
  info.types = std::move(types);
  return info;
}

TEST(AnswerCheck, RefusesTypesThatPointAtNothingOrContainThemselves) {
  using Kind = DebugType::Kind;
  const DebugType nothing;
  EXPECT_NE(fault_in(with_types({}), DescribeRequest{}), nullptr);
  EXPECT_EQ(fault_in(with_types({nothing}), DescribeRequest{}), nullptr);
  EXPECT_NE(fault_in(with_types({nothing, type(Kind::pointer, 2)}), DescribeRequest{}), nullptr);
  DebugType node = type(Kind::record);
  node.members.resize(1);
  node.members.front().type = 2;
  EXPECT_EQ(fault_in(with_types({nothing, node, type(Kind::pointer, 1)}), DescribeRequest{}), nullptr);
  EXPECT_NE(fault_in(with_types({nothing, node, type(Kind::array, 1)}), DescribeRequest{}), nullptr);
  EXPECT_NE(fault_in(with_types({nothing, type(Kind::optional, 1)}), DescribeRequest{}), nullptr);
}

TEST(AnswerCheck, FollowsTypesHoweverDeepTheyAre) {
  using Kind = DebugType::Kind;
  std::vector<DebugType> types(1);
  for (TypeId at = 1; at < 200'000; ++at) types.push_back(type(Kind::array, at + 1));
  types.emplace_back();
  EXPECT_EQ(fault_in(with_types(types), DescribeRequest{}), nullptr);
  types.back() = type(Kind::array, 1);
  EXPECT_STREQ(fault_in(with_types(types), DescribeRequest{}), "a type contains itself");
}

TEST(AnswerCheck, RefusesMoreOrFewerPlacesThanAskedFor) {
  DebugInfo info = with_types({DebugType{}});
  info.present = true;
  EXPECT_EQ(fault_in(info, DescribeRequest{}), nullptr);
  DescribeRequest one;
  one.places.resize(1);
  EXPECT_NE(fault_in(info, one), nullptr);
  info.places.resize(1);
  EXPECT_NE(fault_in(info, DescribeRequest{}), nullptr);
  EXPECT_EQ(fault_in(info, one), nullptr);
  info.places.front().result = 1;
  EXPECT_NE(fault_in(info, one), nullptr);
  info.places.front().result = 0;
  info.places.front().result_pieces.resize(1);
  info.places.front().result_pieces.front().where = Piece::Where::reg;
  EXPECT_NE(fault_in(info, one), nullptr);
}

}  // namespace
}  // namespace diagnose::target
