// Names, members and types of debug information: what expressions over them compute, and what is said of wrong ones.
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compile/kernel_types.h"
#include "described.h"
#include "event/layout.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

using spec::InstrumentType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Uri {
  const char* data;
  std::uint32_t len;
  std::uint16_t port;
  std::int8_t tag;
  bool secure;
};
struct Request {
  std::int32_t id;
  std::uint32_t flags;  // low 3 bits `mode`, signed 5 bits `delta`, 24 bits `rest`
  Uri uri;
  Uri* next;
  std::int32_t counts[2][3];
  union {
    std::int64_t whole;
    std::int32_t half;
  };
  double ratio;
  float share;
  std::int32_t color;
};

// A program's view of the structs above, and a target that is stopped at a call of `handle(request, size, ..)`.
class Target {
 public:
  Target() {
    using Member = DebugType::Member;
    uri = described.record("struct uri", sizeof(Uri),
                           {Member{.name = "data", .type = described.pointer(described.char_), .offset = 0},
                            Member{.name = "len", .type = described.u32_, .offset = 8},
                            Member{.name = "port", .type = described.u16_, .offset = 12},
                            Member{.name = "tag", .type = described.number("signed char", 1, true), .offset = 14},
                            Member{.name = "secure", .type = described.bool_, .offset = 15}});
    color = described.enumeration("Color", 4, true, {{"red", 1}, {"green", 2}, {"none", -1}});
    const TypeId either = described.record("", 8,
                                           {Member{.name = "whole", .type = described.long_, .offset = 0},
                                            Member{.name = "half", .type = described.int_, .offset = 0}});
    const TypeId counts = described.array(described.array(described.int_, 3), 2);
    request = described.record(
        "struct request", sizeof(Request),
        {Member{.name = "id", .type = described.int_, .offset = offsetof(Request, id)},
         Member{.name = "mode", .type = described.u32_, .offset = offsetof(Request, flags), .bits = 3},
         Member{
             .name = "delta", .type = described.int_, .offset = offsetof(Request, flags), .bits = 5, .bit_offset = 3},
         Member{
             .name = "rest", .type = described.u32_, .offset = offsetof(Request, flags), .bits = 24, .bit_offset = 8},
         Member{.name = "uri", .type = uri, .offset = offsetof(Request, uri)},
         Member{.name = "next", .type = described.pointer(uri), .offset = offsetof(Request, next)},
         Member{.name = "counts", .type = counts, .offset = offsetof(Request, counts)},
         Member{.name = "", .type = either, .offset = offsetof(Request, whole)},
         Member{.name = "ratio", .type = described.double_, .offset = offsetof(Request, ratio)},
         Member{.name = "share", .type = described.float_, .offset = offsetof(Request, share)},
         Member{.name = "color", .type = color, .offset = offsetof(Request, color)}});
    described.variable("req", described.pointer(request), {in_register(rdi)});
    described.variable("size", described.int_, {in_register(rsi, 4)});
    described.info.constants = {{"Color::red", color, 1}, {"GREEN", color, 2}};
    described.info.named_types = {
        {"struct request", request}, {"Color", color}, {"enum Color", color}, {"struct lost", target::no_type}};
    data.flags = 5U | (0x1eU << 3U) | (0xabcdefU << 8U);
    stopped.machine.map_user(&data, sizeof(data));
    stopped.machine.map_user(&other, sizeof(other));
    stopped.arguments(BpfMachine::address(&data), 0xffffffff'fffffff6U);
  }

  Evaluation compile(spec::Instrument instrument) {
    const Evaluated evaluated = evaluate(probe_of({std::move(instrument)}), described.subject());
    EXPECT_EQ(faults_text(evaluated), "");
    probe = evaluated.probe;
    return probe.instruments.at(0);
  }

  // The value of a gauge; nothing if it is null.
  std::optional<std::int64_t> value(const std::string& expression) {
    const Evaluation evaluation = compile(gauge(expression));
    const std::uint64_t answer = stopped.run(evaluation.evaluate);
    EXPECT_EQ(stopped.error, "") << expression;
    EXPECT_LE(stopped.stack_used, 200U);
    return answer == 0 ? std::nullopt : std::optional<std::int64_t>(stopped.value());
  }

  // The same at the return, when the registers and the given memory are others.
  std::optional<std::int64_t> value_at_return(const std::string& expression, const std::function<void()>& meanwhile) {
    spec::Instrument instrument = gauge(expression);
    instrument.event = spec::Event::return_;
    const Evaluation evaluation = compile(std::move(instrument));
    if (probe.capture) {
      EXPECT_EQ(stopped.run(*probe.capture, 0), 1U);
      EXPECT_EQ(stopped.error, "") << expression;
    }
    const pt_regs before = stopped.registers;
    std::memset(&stopped.registers, 0x5a, sizeof(stopped.registers));
    meanwhile();
    const std::uint64_t answer = stopped.run(evaluation.evaluate);
    EXPECT_EQ(stopped.error, "") << expression;
    stopped.registers = before;
    return answer == 0 ? std::nullopt : std::optional<std::int64_t>(stopped.value());
  }

  // As a log's fields show it.
  std::string shown(const std::string& expression) {
    spec::Instrument log = of_type(InstrumentType::log);
    log.message = spec::Message{{"", ""}, {text_at(expression)}};
    const Evaluation evaluation = compile(std::move(log));
    EXPECT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
    EXPECT_EQ(stopped.error, "") << expression;
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(stopped.out.data()),
                                           evaluation.payload.size);
    return event::text_of(event::value_of(evaluation.payload.columns.at(0), bytes));
  }

  std::string faults(const std::string& expression) {
    return faults_text(evaluate(probe_of({gauge(expression)}), described.subject()));
  }

  Described described;
  TypeId uri = 0, request = 0, color = 0;
  Uri other{nullptr, 77, 1, 1, false};
  Request data{.id = -5,
               .flags = 0,
               .uri = {"/index", 300, 0xfffe, -3, true},
               .next = nullptr,
               .counts = {{1, 2, 3}, {4, 5, 6}},
               .whole = 0x1'0000'0007,
               .ratio = 0.25,
               .share = 1.5F,
               .color = 2};
  Stopped stopped;
  ProbeEvaluation probe;
};

TEST(Types, ParametersAreReadByNameInTheirOwnWidthAndSign) {
  Target target;
  EXPECT_EQ(target.value("size"), -10);
  EXPECT_EQ(target.value("arg1"), -10);
  EXPECT_EQ(target.value("size < 0"), 1);
  EXPECT_EQ(target.value("arg.size + 1"), -9);
  EXPECT_EQ(target.probe.entry_registers, 1U << rsi);
}

TEST(Types, MembersAreReadThroughPointers) {
  Target target;
  EXPECT_EQ(target.value("req->id"), -5);
  EXPECT_EQ(target.value("req->uri.len"), 300);
  EXPECT_EQ(target.value("req->uri.port"), 0xfffe);
  EXPECT_EQ(target.value("req->uri.tag"), -3);
  EXPECT_EQ(target.value("req->uri.secure"), 1);
  EXPECT_EQ(target.value("arg0->id"), -5);
  EXPECT_EQ(target.value("(*req).uri.len"), 300);
  EXPECT_EQ(target.value("(&req->uri)->len"), 300);
  EXPECT_EQ(target.value("(&req->uri)->len + (&req->uri.len)[0]"), 600);
  EXPECT_EQ(target.value("((struct request *)arg0)->id"), -5);
  EXPECT_EQ(target.value("req->half + (req->whole == 0x100000007)"), 8);
  EXPECT_EQ(target.value("sizeof(struct request)"), static_cast<std::int64_t>(sizeof(Request)));
  EXPECT_EQ(target.value("sizeof(req) + sizeof(int) + sizeof(char *)"), 8 + 4 + 8);
}

TEST(Types, AConditionOnAMemberIsOneRead) {
  Target target;
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("req->uri.len > 300");
  const Evaluation evaluation = target.compile(counter);
  EXPECT_EQ(target.stopped.run(evaluation.evaluate), 0U);
  EXPECT_EQ(target.stopped.user_reads, 1U);
}

TEST(Types, BitFieldsAreCutOutWithTheirSign) {
  Target target;
  EXPECT_EQ(target.value("req->mode"), 5);
  EXPECT_EQ(target.value("req->delta"), -2);
  EXPECT_EQ(target.value("req->rest"), 0xabcdef);
  EXPECT_THAT(target.faults("(u64)&req->mode"), HasSubstr("a bit-field has no address"));
}

TEST(Types, ElementsOfArraysOfArraysAreFoundByConstantAndByComputedIndices) {
  Target target;
  EXPECT_EQ(target.value("req->counts[1][2]"), 6);
  EXPECT_EQ(target.value("req->counts[size + 11][1]"), 5);
  EXPECT_EQ(target.value("req->counts[size + 10][size + 12]"), 3);
  EXPECT_EQ(target.value("req->counts[size + 12][1]"), std::nullopt);
  EXPECT_EQ(target.value("*req->counts[1]"), 4);
  EXPECT_EQ(target.value("len(req->counts)"), 2);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
  EXPECT_THAT(target.faults("req->counts[2][0]"), HasSubstr("has no element 2"));
}

TEST(Types, APointerThatCannotBeReadIsNullAndCounted) {
  Target target;
  EXPECT_EQ(target.value("req->next->len"), std::nullopt);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 1U);
  target.data.next = &target.other;
  EXPECT_EQ(target.value("req->next->len"), 77);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 1U);
}

TEST(Types, AComparisonWithNullGuardsWhatFollowsAndCountsNothing) {
  Target target;
  EXPECT_EQ(target.value("req->next != null && req->next->len > 1"), 0);
  EXPECT_EQ(target.value("req->next == null || req->next->len > 1"), 1);
  EXPECT_EQ(target.value("req->next == null ? 7 : req->next->len"), 7);
  EXPECT_EQ(target.value("req == null"), 0);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
  EXPECT_EQ(target.value("req->next->len == null"), 1);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 1U);
  target.data.next = &target.other;
  EXPECT_EQ(target.value("req->next != null && req->next->len > 1"), 1);
  EXPECT_EQ(target.value("req->next->len == null"), 0);
  EXPECT_EQ(target.value("(1 + size / (size + 10) == null) + 1"), 2);
  EXPECT_THAT(target.faults("size == null"), HasSubstr("never null"));
}

TEST(Types, EnumeratorsAreNumbersInArithmeticAndNamesWhereTheyAreShown) {
  Target target;
  EXPECT_EQ(target.value("req->color == GREEN"), 1);
  EXPECT_EQ(target.value("req->color == Color::red"), 0);
  EXPECT_EQ(target.value("req->color + Color::red"), 3);
  EXPECT_EQ(target.shown("req->color"), "green");
  EXPECT_EQ(target.shown("(Color)size"), "-10");
  EXPECT_EQ(target.shown("(enum Color)1 == Color::red"), "true");
}

TEST(Types, FloatingPointIsCarriedAndShownButNotComputedWith) {
  Target target;
  EXPECT_EQ(target.shown("req->ratio"), "0.25");
  EXPECT_EQ(target.shown("req->share"), "1.5");
  // In a register of integers, beside an integer or alone.
  const TypeId labelled = target.described.record("struct labelled", 8,
                                                  {{.name = "label", .type = target.described.int_},
                                                   {.name = "value", .type = target.described.float_, .offset = 4}});
  target.described.variable("labelled", labelled, {in_register(rdx)});
  target.described.variable("alone", target.described.double_, {in_register(rcx)});
  target.stopped.registers.rdx = 0xc020'0000'0000'0007U;
  target.stopped.registers.rcx = 0x3ff8'0000'0000'0000U;
  EXPECT_EQ(target.shown("labelled.value"), "-2.5");
  EXPECT_EQ(target.shown("alone"), "1.5");
  EXPECT_THAT(target.faults("req->ratio * 2"), HasSubstr("nothing is computed with it"));
  EXPECT_THAT(target.faults("req->ratio"), HasSubstr("nothing is computed with it"));
}

TEST(Types, ParametersOfAReturnAreThoseOfTheCallAndWhatTheyPointToIsReadThen) {
  Target target;
  const auto change = [&] { target.data.uri.len = 301; };
  EXPECT_EQ(target.value_at_return("size", change), -10);
  EXPECT_EQ(target.value_at_return("req->uri.len", change), 301);
  EXPECT_EQ(target.probe.saved.size(), 1U);
  EXPECT_EQ(target.probe.saved[0].expression, "req");
}

TEST(Types, AStructOnTheStackIsKeptAsItWasAtTheCall) {
  Target target;
  Uri on_stack{"/x", 12, 80, 4, true};
  target.stopped.registers.rsp = BpfMachine::address(&on_stack) - 8;
  target.stopped.machine.map_user(&on_stack, sizeof(on_stack));
  target.described.variable("by_value", target.uri, {in_memory(rsp, 8, sizeof(Uri))});
  EXPECT_EQ(target.value("by_value.len + by_value.port"), 92);
  EXPECT_EQ(target.probe.entry_registers, 1U << rsp);
  EXPECT_EQ(target.value_at_return("by_value.len + by_value.port", [&] { on_stack.len = on_stack.port = 0; }), 92);
  on_stack.len = 12;
  target.stopped.registers.rsp = 8;
  EXPECT_EQ(target.value_at_return("by_value.len", [] {}), std::nullopt);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 1U);
  EXPECT_EQ(target.value_at_return("by_value.len == null", [] {}), 1);
}

TEST(Types, AStructInRegistersIsReadFromItsPieces) {
  Target target;
  target.described.variable("by_value", target.uri, {in_register(rdx), in_register(rcx)});
  target.stopped.registers.rdx = BpfMachine::address(&target.data);
  target.stopped.registers.rcx = 0x01fd'0050'0000'0007U;
  EXPECT_EQ(target.value("by_value.len"), 7);
  EXPECT_EQ(target.value("by_value.port"), 0x50);
  EXPECT_EQ(target.value("by_value.tag"), -3);
  EXPECT_EQ(target.value("by_value.secure"), 1);
  EXPECT_EQ(target.value_at_return("by_value.len + by_value.port", [] {}), 7 + 0x50);
  EXPECT_EQ(target.probe.saved.size(), 1U);
  EXPECT_THAT(target.faults("by_value + 1"), HasSubstr("`struct uri` is no number: choose one of its members"));
  EXPECT_THAT(target.faults("(u64)&by_value"), HasSubstr("not in memory"));
}

TEST(Types, AnInterfaceOfGoIsComparedWithNull) {
  Target target;
  Described& described = target.described;
  const TypeId word = described.pointer(described.int_);
  const TypeId error = described.record(
      "error", 16,
      {DebugType::Member{.name = "tab", .type = word, .offset = 0}, {.name = "data", .type = word, .offset = 8}});
  described.info.types[error].is_interface = true;
  DebugType slice = Described::made(Kind::sequence, "[]int", 24, described.int_);
  slice.layout.size_offset = 8;
  const TypeId numbers = described.add(slice);
  described.abi = Abi::go;
  const TypeId both = described.record(
      "(error, []int)", 40,
      {DebugType::Member{.name = "err", .type = error, .offset = 0}, {.name = "v", .type = numbers, .offset = 16}});
  described.result(both, {in_register(rcx), in_register(rdi), in_register(rsi), in_register(8), in_register(9)});
  target.stopped.registers.rcx = target.stopped.registers.rsi = 0;
  EXPECT_EQ(target.value("result.err == null"), 1);
  EXPECT_EQ(target.value("result.err != null"), 0);
  EXPECT_EQ(target.value("result.v == null && !result.err"), 1);
  target.stopped.registers.rcx = target.stopped.registers.rsi = 8;
  EXPECT_EQ(target.value("result.err == null"), 0);
  EXPECT_EQ(target.value("result.err != null && result.v != null"), 1);
  EXPECT_EQ(target.value("result.err ? 3 : 4"), 3);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
  EXPECT_THAT(target.faults("result.err == nil"), HasSubstr("did you mean `null`?"));
  EXPECT_THAT(target.faults("result.err + 1"), HasSubstr("choose one of its members"));
}

TEST(Types, ResultsHaveTheirOwnTypeAndMayTakeTwoRegisters) {
  Target target;
  target.described.result(target.described.int_, {in_register(rax, 4)});
  target.stopped.call().result = 0xffffffff;
  EXPECT_EQ(target.value("result"), -1);
  EXPECT_FALSE(target.probe.uses_result_words);
  target.described.result(target.uri, {in_register(rax), in_register(rdx)});
  target.stopped.registers.rdx = target.stopped.registers.rbx = 0x0050'0000'0007U;
  EXPECT_EQ(target.value("result.len"), 7);
  EXPECT_TRUE(target.probe.uses_result_words);
  // What is in others is refused, and no more than that.
  target.described.result(target.uri, {in_register(rax), in_register(rcx)});
  EXPECT_THAT(target.faults("result.len"), HasSubstr("is in %rcx at the return, which holds no result"));
  EXPECT_EQ(target.faults("(u64)result.data"), "");
  // Go's second register is another.
  target.described.result(target.uri, {in_register(rax), in_register(rbx)});
  EXPECT_THAT(target.faults("result.len"), HasSubstr("is in %rbx at the return, which holds no result"));
  target.described.abi = Abi::go;
  EXPECT_EQ(target.value("result.len"), 7);
  // It has nine registers for results, and as many for arguments.
  target.described.result(target.uri, {in_register(rcx), in_register(11)});
  target.stopped.registers.r11 = 0x0050'0000'0008U;
  EXPECT_EQ(target.value("result.len"), 8);
  target.described.result(target.uri, {in_register(rax), in_register(12)});
  EXPECT_THAT(target.faults("result.len"), HasSubstr("is in %r12 at the return, which holds no result"));
  target.described.abi = Abi::system_v;
  target.described.result(target.uri, {in_memory(rax, 0, sizeof(Uri))});
  target.stopped.call().result = BpfMachine::address(&target.other);
  EXPECT_EQ(target.value("result.len"), 77);
  target.described.result(target.described.bool_, {in_register(rax, 1)});
  target.stopped.call().result = 0xab00;
  EXPECT_EQ(target.value("result"), 0);
  target.described.result(target::no_type, {});
  EXPECT_THAT(target.faults("result"), HasSubstr("`handle` returns nothing"));
  target.described.result(target.described.double_, {}, "returned in %xmm0, which a uprobe cannot read");
  EXPECT_THAT(target.faults("result"), HasSubstr("3:10: `result`: returned in %xmm0"));
}

TEST(Types, GlobalsAreReachedFromTheBreakpoint) {
  Target target;
  std::int32_t counter = -42;
  target.stopped.machine.map_user(&counter, sizeof(counter));
  const std::uint64_t bias = BpfMachine::address(&counter) - 0x4010;
  target.described.site = LinkAddress{0x1136};
  target.stopped.registers.rip = bias + 0x1136;
  target.described.info.globals = {
      {"counter", target.described.int_, LinkAddress{0x4010}, "", ""},
      {"ns::local", target.described.int_, LinkAddress{0}, "lives in thread-local storage", ""}};
  EXPECT_EQ(target.value("::counter"), -42);
  EXPECT_EQ(target.probe.entry_registers, 0U);
  EXPECT_EQ(target.value_at_return("::counter", [&] { counter = 3; }), 3);
  EXPECT_EQ(target.value("*&::counter"), 3);
  EXPECT_THAT(target.faults("ns::local"), HasSubstr("lives in thread-local storage"));
  EXPECT_THAT(target.faults("::nothing"), HasSubstr("neither a global nor an enumerator"));
}

TEST(Types, AGlobalOfAModuleIsReadWhileTheProcessHasTheMemoryThatItHad) {
  const auto way = way_to_layout();
  ASSERT_TRUE(way);
  Target target;
  std::int32_t there = -7;
  std::int32_t here = 8;
  std::vector<std::uint64_t> task((*way)[0] / 8 + 1);
  std::vector<std::uint64_t> memory((*way)[1] / 8 + 1);
  task.back() = BpfMachine::address(memory.data());
  memory.back() = 0x7ffd'0000'1234;
  target.stopped.machine.task = BpfMachine::address(task.data());
  target.stopped.machine.map_kernel(task.data(), task.size() * 8);
  target.stopped.machine.map_kernel(memory.data(), memory.size() * 8);
  target.stopped.machine.map_user(&there, sizeof(there));
  target.stopped.machine.map_user(&here, sizeof(here));
  target.described.site = LinkAddress{0x1136};
  target.stopped.registers.rip = BpfMachine::address(&here) - 0x4010 + 0x1136;
  target.described.others = {
      {.name = "libx.so.1!ns::there",
       .type = target.described.int_,
       .address = MemoryAddress{BpfMachine::address(&there)},
       .layout = 0x7ffd'0000'1234},
      {.name = "lib-y.so!here", .type = target.described.int_, .own = LinkAddress{0x4010}},
      {.name = "libz.so!gone", .why = "the process maps no `libz.so`", .mend = "it maps `libx.so.1`"}};
  EXPECT_EQ(target.value("libx.so.1!ns::there"), -7);
  EXPECT_EQ(target.value("libx.so.1!ns::there - \"lib-y.so\"!here"), -15);
  EXPECT_EQ(target.value("*&libx.so.1!ns::there * 2"), -14);
  EXPECT_EQ(target.value("libx.so.1!ns::there != null"), 1);
  EXPECT_EQ(target.value_at_return("libx.so.1!ns::there", [&] { there = 3; }), 3);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
  memory.back() += 16;  // another program
  EXPECT_EQ(target.value("libx.so.1!ns::there"), std::nullopt);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 1U);
  EXPECT_EQ(target.value("\"lib-y.so\"!here"), 8);
  EXPECT_EQ(target.faults("1 + libz.so!gone"),
            "3:14: `libz.so!gone`: the process maps no `libz.so`: it maps `libx.so.1`\n");
}

TEST(Types, ReferencesAreReadThroughAndMethodsSeeTheirMembers) {
  Target target;
  using Member = DebugType::Member;
  const TypeId base = target.described.record("Base", 8, {Member{.name = "serial", .type = target.described.int_}});
  const TypeId cart =
      target.described.record("shop::Cart", 32,
                              {Member{.name = "Base", .type = base, .offset = 8, .is_base = true},
                               Member{.name = "items", .type = target.described.u32_, .offset = 16},
                               Member{.name = "V", .type = base, .offset = 0, .is_base = true, .is_virtual = true}});
  struct {
    std::uint64_t vtable = 0;
    std::int32_t serial = -8;
    std::int32_t padding = 0;
    std::uint32_t items = 3;
  } object;
  target.stopped.machine.map_user(&object, sizeof(object));
  target.stopped.registers.rdx = target.stopped.registers.rcx = BpfMachine::address(&object);
  target.described.variable("this", target.described.pointer(cart), {in_register(rdx)});
  target.described.variable("other", target.described.pointer(cart, Kind::reference), {in_register(rcx)});
  EXPECT_EQ(target.value("items"), 3);
  EXPECT_EQ(target.value("this->items + other.items"), 6);
  EXPECT_EQ(target.value("serial"), -8);
  EXPECT_EQ(target.value("(&other)->serial"), -8);
  EXPECT_EQ(target.value_at_return("other.items", [&] { object.items = 4; }), 4);
  EXPECT_THAT(target.faults("itms"), HasSubstr("did you mean `items`?"));
}

TEST(Types, SmartPointersOptionalsAndSequencesAreWhatTheyMean) {
  Target target;
  Described& described = target.described;
  const TypeId smart = described.add(Described::made(Kind::smart, "std::unique_ptr<uri>", 8, target.uri));
  DebugType optional = Described::made(Kind::optional, "std::optional<int>", 8, described.int_);
  optional.layout.size_offset = 4;
  const TypeId maybe = described.add(optional);
  DebugType sequence = Described::made(Kind::sequence, "std::vector<int>", 24, described.int_);
  sequence.layout.size_offset = 8;
  sequence.layout.size_is_end = true;
  const TypeId vector = described.add(sequence);
  std::array<std::int32_t, 3> numbers = {10, 20, 30};
  struct {
    Uri* smart;
    std::int32_t value = 9;
    bool has = true;
    std::int32_t *begin, *end;
  } object{&target.other, 9, true, numbers.data(), numbers.data() + 3};
  using Member = DebugType::Member;
  const TypeId holder = described.record(
      "Holder", sizeof(object),
      {Member{.name = "smart", .type = smart, .offset = 0}, Member{.name = "maybe", .type = maybe, .offset = 8},
       Member{.name = "v", .type = vector, .offset = 16}});
  target.stopped.machine.map_user(&object, sizeof(object));
  target.stopped.machine.map_user(numbers.data(), sizeof(numbers));
  target.stopped.registers.rdx = BpfMachine::address(&object);
  described.variable("h", described.pointer(holder), {in_register(rdx)});
  EXPECT_EQ(target.value("h->smart->len"), 77);
  EXPECT_EQ(target.value("(*h->smart).len"), 77);
  EXPECT_EQ(target.value("h->smart != null"), 1);
  EXPECT_EQ(target.value("h->maybe + *h->maybe"), 18);
  EXPECT_EQ(target.value("h->maybe != null && h->maybe.has_value"), 1);
  EXPECT_EQ(target.shown("h->maybe"), "9");
  object.has = false;
  EXPECT_EQ(target.value("h->maybe"), std::nullopt);
  EXPECT_EQ(target.value("h->maybe == null"), 1);
  EXPECT_EQ(target.value("h->maybe ? 1 : 0"), 0);
  EXPECT_EQ(target.shown("h->maybe"), "null");
  EXPECT_EQ(target.value("h->v.size + len(h->v)"), 6);
  EXPECT_EQ(target.value("h->v[2]"), 30);
  EXPECT_EQ(target.value("h->v[size + 11]"), 20);
  EXPECT_EQ(target.value("h->v[3]"), std::nullopt);
  EXPECT_EQ(target.value("h->v[-1]"), std::nullopt);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
  EXPECT_THAT(target.faults("h->v + 1"), HasSubstr("there are `.size` and `[i]`"));
  EXPECT_THAT(target.faults("h->v.sise"), HasSubstr("there are `.size` and `[i]`"));
}

TEST(Types, WhatIsNotThereIsToldWithWhatIs) {
  Target target;
  EXPECT_EQ(target.faults("sise"), "3:10: `sise`: unknown name: did you mean `size`?\n");
  EXPECT_EQ(target.faults("elpased"), "3:10: `elpased`: unknown name: did you mean `elapsed`?\n");
  EXPECT_EQ(target.faults("req->uri2"), "3:13: `uri2`: no such member in `struct request`: did you mean `uri`?\n");
  EXPECT_EQ(target.faults("req->uri.length2"),
            "3:18: `length2`: no such member in `struct uri`: there are `data`, `len`, `port`, `tag`, `secure`\n");
  const TypeId of_go = target.described.pointer(target.request);
  target.described.info.types[of_go].name = "*main.request";
  target.described.variable("of_go", of_go, {in_register(rdi)});
  EXPECT_EQ(target.faults("of_go.id + of_go->id"), "");
  target.described.info.places[0].variables.pop_back();
  EXPECT_EQ(target.faults("req.id"), "3:13: `.id`: what stands before it is a pointer: write `->id`\n");
  EXPECT_EQ(target.faults("req->uri->len"), "3:18: `->len`: what stands before it is no pointer: write `.len`\n");
  EXPECT_EQ(target.faults("size->x"),
            "3:14: `->x`: `int` has no members: cast it to what it is: `((struct s *)x)->x`\n");
  EXPECT_EQ(target.faults("arg2"), "3:10: `arg2`: `handle` has only 2 parameters: use `arg0` to `arg1`\n");
  EXPECT_EQ(target.faults("*size"), "3:10: `*`: `int` is no pointer: cast it if it is an address: `*(u32 *)x`\n");
  EXPECT_EQ(target.faults("(struct lost *)arg0 == null"),
            "3:10: `struct lost`: the target has no type of that name: write it as the source does, with its "
            "namespace: `struct request`, `ns::Type`\n");
  EXPECT_EQ(target.faults("unheard_of"),
            "3:10: `unheard_of`: neither a parameter of `handle` nor an enumerator: there are `req`, `size`; globals "
            "are written `::name`\n");
  target.described.variable("x", target.described.double_, {{.where = Piece::Where::vector, .offset = 18, .bytes = 8}});
  target.described.variable("lost", target.described.int_, {}, "optimised away here; it lives in %rax from 0x1189 on");
  EXPECT_EQ(target.faults("x"),
            "3:10: `x`: is in %xmm1, which a uprobe cannot read: measure where it lies in memory, or an integer\n");
  EXPECT_EQ(target.faults("arg2"), target.faults("x").replace(7, 0, "").replace(6, 3, "`arg2`"));
  EXPECT_EQ(target.faults("lost"), "3:10: `lost`: optimised away here; it lives in %rax from 0x1189 on\n");
}

TEST(Types, WithoutDebugInformationTheMendSaysHowToGetIt) {
  EXPECT_THAT(faults_text(evaluate(probe_of({gauge("size")}))), HasSubstr("install the debug package"));
  Described empty;
  empty.info = {};
  empty.info.missing = "/usr/lib/debug/.build-id/1f/ab.debug";
  EXPECT_THAT(faults_text(evaluate(probe_of({gauge("size")}), empty.subject())),
              HasSubstr("(looked for /usr/lib/debug/.build-id/1f/ab.debug)"));
  EXPECT_EQ(faults_text(evaluate(probe_of({gauge("arg3")}), empty.subject())), "");
}

TEST(BuiltIn, TheCallerIsOnTopOfTheStackAtTheCall) {
  Target target;
  std::uint64_t top = 0x401234;
  target.stopped.machine.map_user(&top, sizeof(top));
  target.stopped.registers.rsp = BpfMachine::address(&top);
  EXPECT_EQ(target.shown("caller"), "0x401234");
  EXPECT_EQ(target.probe.entry_registers, 1U << rsp);
  EXPECT_EQ(target.value_at_return("caller == 0x401234", [&] { top = 0; }), 1);
}

TEST(BuiltIn, StacksCgroupsDepthsAndHexadecimalNumbersAreShown) {
  Target target;
  target.stopped.machine.stack = {0x401234, 0x7f0000001000};
  EXPECT_EQ(target.shown("ustack"), "0x401234;0x7f0000001000");
  EXPECT_EQ(target.value("cgroup"), 5151);
  EXPECT_EQ(target.shown("hex(size)"), "0xfffffff6");
  EXPECT_EQ(target.shown("hex(255) "), "0xff");
  target.stopped.call().depth = 3;
  EXPECT_EQ(target.value("depth"), 3);
  target.stopped.call().depth = DEPTH_UNKNOWN;
  EXPECT_EQ(target.value("depth"), std::nullopt);
  EXPECT_THAT(target.faults("ustack"), HasSubstr("a stack is no number"));
  EXPECT_THAT(target.faults("elapsed > 1ms ? caller : ustack"), HasSubstr("a stack is no number"));
  spec::Instrument log = of_type(InstrumentType::log);
  log.message = spec::Message{{"", "", ""}, {text_at("ustack"), text_at("elapsed")}};
  EXPECT_EQ(faults_text(evaluate(probe_of({log}))),
            "3:10: `ustack`: known at the call only: write `event: call`, or use `caller`\n");
}

TEST(Names, OnlyWhatDebugInformationMustTellIsAskedFor) {
  const Names plain = names_of(probe_of({gauge("elapsed + now + (u32)pid"), gauge("str(comm) == \"x\" && true")}));
  EXPECT_FALSE(plain.any);
  EXPECT_FALSE(plain.typed);
  EXPECT_TRUE(names_of(probe_of({gauge("arg0 + 1")})).typed);
  EXPECT_FALSE(names_of(probe_of({gauge("result + *(u32*)arg0")})).any);
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("req->uri.len > ::limits::most && (struct s *)p != null");
  counter.labels = {{"c", text_at("arg.color == Color::red ? sizeof(ns::T) : LAST")}};
  const Names names = names_of(probe_of({counter}));
  EXPECT_TRUE(names.any);
  EXPECT_THAT(names.members, ElementsAre("len", "uri", "req", "p", "color", "ns::T", "LAST"));
  EXPECT_THAT(names.globals, ElementsAre("limits::most", "Color::red"));
  EXPECT_THAT(names.types, ElementsAre("struct s", "ns::T"));
  EXPECT_THAT(names.constants, ElementsAre("req", "limits::most", "p", "Color::red", "LAST"));
  const Names other = names_of(probe_of({gauge("libx.so.1!ns::there->len + \"lib-y.so\"!::here")}));
  EXPECT_TRUE(other.any);
  EXPECT_THAT(other.others, ElementsAre("libx.so.1!ns::there", "lib-y.so!here"));
  EXPECT_THAT(other.members, ElementsAre("len"));
  EXPECT_THAT(other.globals, IsEmpty());
}

TEST(Check, WhatNeedsTheTargetIsNoFaultYet) {
  for (const std::string expression : {"size",
                                       "req->uri.len + 1",
                                       "elpased",
                                       "*arg0",
                                       "arg0->x",
                                       "(struct s *)arg0",
                                       "sizeof(T)",
                                       "::g / 2",
                                       "Color::red == c",
                                       "len(name) > 3",
                                       "startswith(name, \"x\")",
                                       "v[2]",
                                       "&x",
                                       "!x",
                                       "min(x, 3)",
                                       "abs(x)",
                                       "x ? 1 : 2",
                                       "result->x",
                                       "arg0 == \"x\"",
                                       "x && elapsed > 5ms"}) {
    EXPECT_THAT(check(probe_of({gauge(expression)})), IsEmpty()) << expression;
  }
}

TEST(Check, WhatCanBeToldWithoutTheTargetIsTold) {
  for (const std::string expression : {"size +", "elapsed > 10", "comm + 1", "frobnicate(x)", "arg9", "(x", "1.5"}) {
    EXPECT_EQ(check(probe_of({gauge(expression)})).size(), 1U) << expression;
  }
}

}  // namespace
}  // namespace diagnose::compile
