// Texts of the target: C's, those with a length of their own, those that may be inside of the object.
#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "described.h"
#include "event/layout.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

using spec::InstrumentType;
using testing::HasSubstr;

// As libc++ has it on little-endian machines: the first byte's lowest bit says whether the text is long.
struct ShortOrLong {
  std::uint64_t capacity_or_size;  // long: capacity | 1; short: the first byte is twice the length
  std::uint64_t size;
  const char* data;
};

struct Holder {
  std::string text;
  const char* name;
  std::array<char, 8> fixed;
  ShortOrLong other;
};

class Target {
 public:
  Target() {
    using Member = DebugType::Member;
    DebugType plain = Described::made(Kind::text, "std::string", sizeof(std::string), described.char_);
    plain.layout.size_offset = 8;
    text = described.add(plain);
    DebugType other = Described::made(Kind::text, "std::__1::string", sizeof(ShortOrLong), described.char_);
    other.layout.data_offset = 16;
    other.layout.size_offset = 8;
    other.layout.has_short = true;
    other.layout.short_if_clear = true;
    other.layout.short_mask = 1;
    other.layout.short_shift = 1;
    other.layout.short_data_offset = 1;
    const TypeId holder = described.record(
        "Holder", sizeof(Holder),
        {Member{.name = "text", .type = text, .offset = offsetof(Holder, text)},
         Member{.name = "name", .type = described.pointer(described.char_), .offset = offsetof(Holder, name)},
         Member{.name = "fixed", .type = described.array(described.char_, 8), .offset = offsetof(Holder, fixed)},
         Member{.name = "other", .type = described.add(other), .offset = offsetof(Holder, other)}});
    DebugType view = Described::made(Kind::text, "std::string_view", 16, described.char_);
    view.layout.data_offset = 8;
    described.variable("h", described.pointer(holder), {in_register(rdi)});
    described.variable("view", described.add(view), {in_register(rsi), in_register(rdx)});
    described.variable("s", described.pointer(text, Kind::reference), {in_register(rcx)});
    described.variable("n", described.int_, {in_register(rdx, 4)});
    described.variable("by_value", text, {in_memory(rbx, 0, sizeof(std::string))});
    set_text("0123456789abcdef");
    stopped.machine.map_user(&data, sizeof(data));
    stopped.machine.map_user(characters.data(), characters.size());
    stopped.arguments(BpfMachine::address(&data), 3, BpfMachine::address(characters.data()));
    stopped.registers.rcx = stopped.registers.rbx = BpfMachine::address(&data.text);
  }

  void set_text(const std::string& value) {
    data.text = value;
    stopped.machine.map_user(data.text.data(), data.text.size() + 1);
  }
  void set_short(const std::string& value) {
    auto* bytes = reinterpret_cast<char*>(&data.other);
    bytes[0] = static_cast<char>(value.size() * 2);
    std::memcpy(bytes + 1, value.data(), value.size());
  }

  Evaluation compile(spec::Instrument instrument) {
    const Evaluated evaluated = evaluate(probe_of({std::move(instrument)}), described.subject());
    EXPECT_EQ(faults_text(evaluated), "");
    probe = evaluated.probe;
    return probe.instruments.at(0);
  }

  // The label of a counter; "null" where there is no event.
  std::string label(const std::string& expression, bool at_return = false) {
    spec::Instrument counter = of_type(InstrumentType::counter);
    counter.labels = {{"l", text_at(expression)}};
    if (at_return) counter.event = spec::Event::return_;
    const Evaluation evaluation = compile(counter);
    if (probe.capture) {
      EXPECT_EQ(stopped.run(*probe.capture, 0), 1U);
      EXPECT_EQ(stopped.error, "");
    }
    const std::uint64_t answer = stopped.run(evaluation.evaluate, 8 + evaluation.key.size);
    EXPECT_EQ(stopped.error, "") << expression << listing(evaluation.evaluate.instructions);
    EXPECT_LE(stopped.stack_used, 200U);
    if (answer == 0) return "null";
    const std::span<const std::byte> key(reinterpret_cast<const std::byte*>(stopped.out.data()) + 8,
                                         evaluation.key.size);
    return event::text_of(event::value_of(evaluation.key.columns.at(0), key));
  }

  // A log's only field: its text, with `|` behind it where it is marked as one that went on.
  std::string field(const std::string& expression) {
    const Evaluation evaluation = compile(of_type(InstrumentType::log, expression));
    const std::uint64_t answer = stopped.run(evaluation.evaluate, evaluation.payload.size);
    EXPECT_EQ(stopped.error, "") << expression << listing(evaluation.evaluate.instructions);
    EXPECT_LE(stopped.stack_used, 200U);
    if (answer == 0) return "null";
    const std::span<const std::byte> payload(reinterpret_cast<const std::byte*>(stopped.out.data()),
                                             evaluation.payload.size);
    const event::Column& column = evaluation.payload.columns.at(0);
    return event::text_of(event::value_of(column, payload)) + (event::is_truncated(column, payload) ? "|" : "");
  }

  // Since the last look.
  std::uint64_t truncated() { return std::exchange(stopped.ledger[LEDGER_TRUNCATED], 0); }

  std::optional<std::int64_t> value(const std::string& expression) {
    const Evaluation evaluation = compile(gauge(expression));
    const std::uint64_t answer = stopped.run(evaluation.evaluate);
    EXPECT_EQ(stopped.error, "") << expression << listing(evaluation.evaluate.instructions);
    EXPECT_LE(stopped.stack_used, 200U);
    return answer == 0 ? std::nullopt : std::optional<std::int64_t>(stopped.value());
  }

  std::string faults(const std::string& expression) {
    return faults_text(evaluate(probe_of({gauge(expression)}), described.subject()));
  }

  Described described;
  TypeId text = 0;
  std::array<char, 2000> characters{"abcdefgh"};
  Holder data{"", characters.data(), {'f', 'i', 'x', 'e', 'd', '-', '-', '8'}, {0x101, 8, characters.data()}};
  Stopped stopped;
  ProbeEvaluation probe;
};

TEST(Texts, AStringOfTheLibraryIsALabelAfterTwoReads) {
  Target target;
  EXPECT_EQ(target.label("h->text"), "0123456789abcdef");
  EXPECT_EQ(target.stopped.user_reads, 2U);
  EXPECT_EQ(target.label("s"), "0123456789abcdef");
  EXPECT_EQ(target.label("str(h->text, 8)"), "01234567");
  target.set_text(std::string(500, 'x'));
  EXPECT_EQ(target.label("h->text"), std::string(31, 'x'));
  target.set_text("");
  EXPECT_EQ(target.label("h->text"), "");
  EXPECT_EQ(target.stopped.user_reads, 1U);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
}

TEST(Texts, ALengthThatLiesReadsNoMoreThanThereIsRoomFor) {
  Target target;
  target.stopped.registers.rsi = ~std::uint64_t{0};
  EXPECT_EQ(target.label("view").substr(0, 9), "abcdefgh");
  target.stopped.registers.rdx = 16;
  EXPECT_EQ(target.label("view"), "null");
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 1U);
}

TEST(Texts, AViewInRegistersHasAsManyCharactersAsItSays) {
  Target target;
  EXPECT_EQ(target.label("view"), "abc");
  EXPECT_EQ(target.value("len(view) + view.size"), 6);
  EXPECT_EQ(target.value("view == \"abc\""), 1);
  EXPECT_EQ(target.value("view == \"abcd\""), 0);
  EXPECT_EQ(target.value("view == \"ab\""), 0);
  EXPECT_EQ(target.value("view != \"abx\""), 1);
  EXPECT_EQ(target.value("view[1] == 'b'"), 1);
  EXPECT_EQ(target.label("view", true), "abc");
}

TEST(Texts, AShortTextIsInTheObjectItself) {
  Target target;
  EXPECT_EQ(target.label("h->other"), "abcdefgh");
  EXPECT_EQ(target.value("len(h->other)"), 8);
  EXPECT_EQ(target.value("h->other == \"abcdefgh\""), 1);
  target.set_short("tiny");
  EXPECT_EQ(target.label("h->other"), "tiny");
  EXPECT_EQ(target.value("len(h->other)"), 4);
  EXPECT_EQ(target.value("h->other == \"tiny\" && startswith(h->other, \"ti\")"), 1);
  EXPECT_EQ(target.value("h->other[3]"), 'y');
}

TEST(Texts, TextsOfCEndAtTheirNulOrWithTheirArray) {
  Target target;
  EXPECT_EQ(target.label("h->name"), "abcdefgh");
  EXPECT_EQ(target.value("len(h->name)"), 8);
  EXPECT_EQ(target.value("h->name == \"abcdefgh\" && h->name != \"abcdefg\""), 1);
  EXPECT_EQ(target.label("h->fixed"), "fixed--8");
  EXPECT_EQ(target.value("len(h->fixed)"), 8);
  EXPECT_EQ(target.value("h->fixed == \"fixed--8\""), 1);
  target.data.fixed = {'a', 'b'};
  EXPECT_EQ(target.label("h->fixed"), "ab");
  EXPECT_EQ(target.value("len(h->fixed)"), 2);
  target.data.name = nullptr;
  EXPECT_EQ(target.label("h->name"), "null");
  EXPECT_EQ(target.value("h->name != null && h->name == \"x\""), 0);
}

TEST(Texts, OfWhatIsLongerThanItsRoomIsCountedAndMarked) {
  Target target;
  for (const std::size_t length : std::initializer_list<std::size_t>{0, 1, 254, 255, 256, 300}) {
    const std::string whole(length, 'x');
    const std::string shown = length > 255 ? std::string(255, 'x') + "|" : whole;
    target.set_text(whole);
    target.characters.fill('\0');
    std::fill_n(target.characters.begin(), length, 'x');
    target.data.other.size = length;
    for (const char* expression : {"h->text", "h->name", "h->other", "str(h->name)", "str(h->text, 256)",
                                   "str(h->name, 256)", "n == 0 ? \"none\" : h->name"}) {
      EXPECT_EQ(target.field(expression), shown) << expression << length;
      EXPECT_EQ(target.truncated(), length > 255 ? 1U : 0U) << expression << length;
    }
    EXPECT_EQ(target.field("str(h->name, 255)"), std::string(std::min<std::size_t>(length, 255), 'x'));
    EXPECT_EQ(target.field("str(h->text, 8)"), std::string(std::min<std::size_t>(length, 8), 'x'));
    EXPECT_EQ(target.field("str(h->name, 8)"), std::string(std::min<std::size_t>(length, 8), 'x'));
    EXPECT_EQ(target.truncated(), 0U) << length;
  }
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
}

TEST(Texts, ALabelThatIsLongerThanItsRoomIsCountedAndItsKeyIsThatOfTheShorterOne) {
  Target target;
  for (const std::size_t length : std::initializer_list<std::size_t>{31, 32, 100}) {
    target.set_text(std::string(length, 'x'));
    target.characters.fill('\0');
    std::fill_n(target.characters.begin(), length, 'x');
    EXPECT_EQ(target.label("h->text"), std::string(31, 'x'));
    EXPECT_EQ(target.stopped.out[8 + 31], 0);
    EXPECT_EQ(target.truncated(), length > 31 ? 1U : 0U);
    EXPECT_EQ(target.label("h->name"), std::string(31, 'x'));
    EXPECT_EQ(target.stopped.out[8 + 31], 0);
    EXPECT_EQ(target.truncated(), length > 31 ? 1U : 0U);
  }
  EXPECT_EQ(target.label("h->fixed"), "fixed--8");
  EXPECT_EQ(target.truncated(), 0U);
}

TEST(Texts, OfAnEventThatIsNotKeptNoneIsCountedAsLonger) {
  Target target;
  target.set_text(std::string(100, 'x'));
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.labels = {{"long", text_at("h->text")}, {"null", text_at("h->name")}};
  const Evaluation evaluation = target.compile(counter);
  EXPECT_EQ(target.stopped.run(evaluation.evaluate, 8 + evaluation.key.size), 1U);
  EXPECT_EQ(target.truncated(), 1U);
  target.data.name = nullptr;
  EXPECT_EQ(target.stopped.run(evaluation.evaluate, 8 + evaluation.key.size), 0U);
  EXPECT_EQ(target.truncated(), 0U);
}

TEST(Texts, TheLengthOfATextOfCIsExactOrNull) {
  Target target;
  for (const std::size_t length : std::initializer_list<std::size_t>{0, 1, 62, 63, 64, 125, 126, 127, 1007, 1008}) {
    target.characters.fill('\0');
    std::fill_n(target.characters.begin(), length, 'x');
    EXPECT_EQ(target.value("len(h->name)"), static_cast<std::int64_t>(length));
    EXPECT_EQ(target.value("1 + (len(h->name) + len(h->name))"), static_cast<std::int64_t>(1 + 2 * length));
  }
  target.characters.fill('x');
  EXPECT_EQ(target.value("len(h->name)"), std::nullopt);
  EXPECT_EQ(target.stopped.lost(LOSS_UNREADABLE), 0U);
}

TEST(Texts, TheLengthOfATextOfSoManyCharactersIsNoMoreThanThose) {
  Target target;
  EXPECT_EQ(target.value("len(str(h->text, 8))"), 8);
  EXPECT_EQ(target.value("len(str(h->text, 16))"), 16);
  EXPECT_EQ(target.value("len(str(h->text, 17))"), 16);
  EXPECT_EQ(target.value("len(str(view, 2))"), 2);
  EXPECT_EQ(target.value("len(str(view, 4))"), 3);
  EXPECT_EQ(target.value("len(str(h->other, 3))"), 3);
  EXPECT_EQ(target.value("len(str(h->name, 3))"), 3);
  EXPECT_EQ(target.value("len(str(h->name, 9))"), 8);
  EXPECT_EQ(target.value("len(str(h->fixed, 3))"), 3);
  EXPECT_EQ(target.value("len(str(h->text))"), 16);
  target.set_text("");
  EXPECT_EQ(target.value("len(str(h->text, 8))"), 0);
}

TEST(Texts, ABeginningIsComparedInTheKernel) {
  Target target;
  for (std::size_t length = 1; length <= 16; ++length) {
    const std::string start = std::string("0123456789abcdef").substr(0, length);
    EXPECT_EQ(target.value("startswith(h->text, \"" + start + "\")"), 1) << start;
    EXPECT_EQ(target.value("startswith(h->text, \"" + start + "x\")"), 0) << start;
    if (length <= 8) {
      const std::string other = std::string("abcdefgh").substr(0, length);
      EXPECT_EQ(target.value("startswith(h->name, \"" + other + "\")"), 1) << other;
      EXPECT_EQ(target.value("startswith(h->name, \"" + other + "x\")"), 0) << other;
    }
  }
  EXPECT_EQ(target.value("startswith(comm, \"check\")"), 1);
}

TEST(Texts, AStringOfTheCallKeepsItsWordsForTheReturn) {
  Target target;
  EXPECT_EQ(target.label("by_value", true), "0123456789abcdef");
  EXPECT_EQ(target.probe.saved.size(), 3U);  // address, length, which of them are null
  EXPECT_EQ(target.label("s", true), "0123456789abcdef");
  EXPECT_EQ(target.probe.saved.size(), 1U);
}

TEST(Texts, WhatCannotBeDoneWithTextsIsTold) {
  Target target;
  EXPECT_THAT(target.faults("h->text"), HasSubstr("a text is no number"));
  EXPECT_THAT(target.faults("h->text + 1"), HasSubstr("texts can be compared"));
  EXPECT_THAT(target.faults("h->text == h->name"), HasSubstr("only be compared with a literal"));
  EXPECT_THAT(target.faults("startswith(h, \"x\")"), HasSubstr("no text of the target"));
  EXPECT_THAT(target.faults("startswith(view, view)"), HasSubstr("no literal text"));
  EXPECT_THAT(target.faults("len(h)"), HasSubstr("needs a text or a sequence"));
  EXPECT_THAT(target.faults("str(h)"), HasSubstr("needs an address of characters"));
}

}  // namespace
}  // namespace diagnose::compile
