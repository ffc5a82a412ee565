// What an instrument's functions leave behind: values, keys, buckets, payloads, losses.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string_view>

#include "event/layout.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

using spec::InstrumentType;
using testing::ElementsAre;

Evaluated compiled(const spec::Probe& probe) {
  Evaluated evaluated = evaluate(probe);
  EXPECT_EQ(faults_text(evaluated), "");
  return evaluated;
}

Evaluation only(const spec::Instrument& instrument) {
  return compiled(probe_of({instrument})).probe.instruments.at(0);
}

// The columns of a key or payload as text, in order.
std::vector<std::string> shown(const event::Layout& layout, const Stopped& stopped, std::size_t offset) {
  std::vector<std::string> texts;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(stopped.out.data()) + offset, layout.size);
  for (const event::Column& column : layout.columns) texts.push_back(event::text_of(event::value_of(column, bytes)));
  return texts;
}

TEST(Instrument, ACounterAddsOneByDefaultAndOnlyWhereItsConditionHolds) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("arg0 > 10 && arg1 != 3");
  const Evaluation evaluation = only(counter);
  EXPECT_EQ(evaluation.phase, Phase::call);
  EXPECT_FALSE(evaluation.needs_frame);
  EXPECT_TRUE(evaluation.fold);
  Stopped stopped;
  stopped.arguments(11, 4);
  EXPECT_EQ(stopped.run(evaluation.evaluate), 1U);
  EXPECT_EQ(stopped.value(), 1);
  stopped.arguments(10, 4);
  EXPECT_EQ(stopped.run(evaluation.evaluate), 0U);
  stopped.arguments(11, 3);
  EXPECT_EQ(stopped.run(evaluation.evaluate), 0U);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, AConditionThatIsAlwaysTrueCostsNothing) {
  spec::Instrument plain = of_type(InstrumentType::counter, "arg0");
  spec::Instrument with = plain;
  with.where = text_at("true && 1 + 1 == 2");
  EXPECT_EQ(listing(only(plain).evaluate.instructions), listing(only(with).evaluate.instructions));
}

TEST(Instrument, ANegativeValueOfACounterIsRefusedAndCounted) {
  const Evaluation evaluation = only(of_type(InstrumentType::counter, "arg0"));
  Stopped stopped;
  stopped.arguments(static_cast<std::uint64_t>(-1));
  EXPECT_EQ(stopped.run(evaluation.evaluate), 0U);
  EXPECT_EQ(stopped.lost(LOSS_REFUSED), 1U);
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 0U);
  stopped.arguments(0);
  EXPECT_EQ(stopped.run(evaluation.evaluate), 1U);
  EXPECT_EQ(stopped.lost(LOSS_REFUSED), 1U);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, AnUnsignedValueOfACounterIsNeverNegative) {
  const Evaluation evaluation = only(of_type(InstrumentType::counter, "(u64)arg0"));
  EXPECT_FALSE(evaluation.value_is_signed);
  Stopped stopped;
  stopped.arguments(~std::uint64_t{0});
  EXPECT_EQ(stopped.run(evaluation.evaluate), 1U);
  EXPECT_EQ(stopped.value(), -1);
}

TEST(Instrument, AGaugeThatDecreasesAddsTheNegatedValue) {
  spec::Instrument gauge = of_type(InstrumentType::gauge, "(u32)arg0");
  gauge.operation = spec::GaugeOperation::dec;
  const Evaluation evaluation = only(gauge);
  EXPECT_TRUE(evaluation.value_is_signed);
  Stopped stopped;
  stopped.arguments(5);
  EXPECT_EQ(stopped.run(evaluation.evaluate), 1U);
  EXPECT_EQ(stopped.value(), -5);
  gauge.value.reset();
  EXPECT_EQ(stopped.run(only(gauge).evaluate), 1U);
  EXPECT_EQ(stopped.value(), -1);
  gauge.operation = spec::GaugeOperation::inc;
  EXPECT_EQ(stopped.run(only(gauge).evaluate), 1U);
  EXPECT_EQ(stopped.value(), 1);
}

TEST(Instrument, AHistogramShowsElapsedInSecondsByDefault) {
  const Evaluation evaluation = only(of_type(InstrumentType::histogram));
  EXPECT_EQ(evaluation.phase, Phase::return_);
  EXPECT_TRUE(evaluation.needs_frame);
  EXPECT_TRUE(evaluation.unit_is_time);
  EXPECT_FALSE(evaluation.value_is_signed);
  ASSERT_EQ(evaluation.bounds.size(), 24U);
  EXPECT_EQ(evaluation.bounds.front(), 1000);
  EXPECT_EQ(evaluation.bounds.back(), 1000LL << 23U);
  EXPECT_EQ(evaluation.shown_bounds[0], 0.000001);
  Stopped stopped;
  const auto bucket = [&](std::uint64_t elapsed_ns) {
    stopped.call().elapsed_ns = elapsed_ns;
    return stopped.run(evaluation.evaluate);
  };
  EXPECT_EQ(bucket(0), 1U);
  EXPECT_EQ(bucket(1000), 1U);
  EXPECT_EQ(bucket(1001), 2U);
  EXPECT_EQ(bucket(~std::uint64_t{0}), 25U);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, EveryValueGoesToTheFirstBucketThatHoldsIt) {
  const std::vector<std::vector<double>> cases = {
      {5}, {-10, -2.5, 0, 0.5, 3, 4e9, 1e18}, {-1e30, 0, 1e30}, {1, 2, 3}, {2147483647, 2147483648}};
  const std::vector<double> many = [] {
    std::vector<double> bounds;
    for (int i = 0; i < 128; ++i) bounds.push_back(i * 7 - 300);
    return bounds;
  }();
  std::vector<std::vector<double>> all = cases;
  all.push_back(many);
  for (const std::string expression : {"arg0", "(u64)arg0"}) {
    const bool is_signed = expression == "arg0";
    for (const std::vector<double>& bounds : all) {
      spec::Instrument histogram = of_type(InstrumentType::histogram, expression);
      histogram.buckets = spec::Buckets{bounds, false, {}};
      const Evaluation evaluation = only(histogram);
      EXPECT_EQ(evaluation.shown_bounds, bounds);
      std::vector<std::int64_t> values = {0, 1, -1, std::numeric_limits<std::int64_t>::max(),
                                          std::numeric_limits<std::int64_t>::min()};
      for (const std::int64_t bound : evaluation.bounds) {
        for (const std::uint64_t by : {~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{1}}) {
          values.push_back(static_cast<std::int64_t>(static_cast<std::uint64_t>(bound) + by));
        }
      }
      for (const std::int64_t value : values) {
        std::size_t expected = 0;
        while (expected < bounds.size()) {
          const auto bound = evaluation.bounds[expected];
          const bool below = is_signed
                                 ? value <= bound
                                 : bound >= 0 && static_cast<std::uint64_t>(value) <= static_cast<std::uint64_t>(bound);
          if (below) break;
          ++expected;
        }
        Stopped stopped;
        stopped.arguments(static_cast<std::uint64_t>(value));
        ASSERT_EQ(stopped.run(evaluation.evaluate), expected + 1) << expression << " " << value;
        ASSERT_EQ(stopped.error, "");
        ASSERT_EQ(stopped.value(), value);
      }
    }
  }
}

TEST(Instrument, FractionalBoundsAreRoundedDownAndHugeOnesClamped) {
  spec::Instrument histogram = of_type(InstrumentType::histogram, "arg0");
  histogram.buckets = spec::Buckets{{-2.5, 0.5, 1e30}, false, {}};
  EXPECT_THAT(only(histogram).bounds, ElementsAre(-3, 0, std::numeric_limits<std::int64_t>::max()));
}

TEST(Instrument, LabelsMakeAKeyOfWholeWords) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  const std::string path = "/var/lib/thing";
  counter.labels = {{"n", text_at("(int)arg0")}, {"ok", text_at("arg0 < 0")},        {"region", text_at("\"eu\"")},
                    {"who", text_at("comm")},    {"path", text_at("str(arg1, 10)")}, {"cpu", text_at("cpu")}};
  const Evaluation evaluation = only(counter);
  ASSERT_TRUE(evaluation.fold);
  EXPECT_EQ(evaluation.key.size, 8U + 8 + 16 + 16 + 8);
  Stopped stopped;
  stopped.machine.map_user(path.data(), path.size() + 1);
  stopped.arguments(static_cast<std::uint64_t>(-5), BpfMachine::address(path.data()));
  EXPECT_EQ(stopped.run(evaluation.evaluate, offsetof(struct evaluation, key) + evaluation.key.size), 1U);
  EXPECT_EQ(stopped.error, "");
  EXPECT_THAT(shown(evaluation.key, stopped, offsetof(struct evaluation, key)),
              ElementsAre("-5", "true", "eu", "checkoutd", path.substr(0, 10), "3"));
  // Keys compare by bytes: what a shorter text leaves is zero.
  EXPECT_EQ(stopped.out[8 + 8 + 8 + 15], 0);
}

TEST(Instrument, TheSameTextMakesTheSameBytesWhateverWasThereBefore) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.labels = {{"path", text_at("str(arg0)")}};
  const Evaluation evaluation = only(counter);
  EXPECT_EQ(evaluation.key.size, 32U);
  const std::array<char, 8> text = {"a"};
  Stopped stopped;
  stopped.machine.map_user(text.data(), text.size());
  stopped.arguments(BpfMachine::address(text.data()));
  ASSERT_EQ(stopped.run(evaluation.evaluate), 1U);
  EXPECT_EQ(stopped.out[8], 'a');
  for (std::size_t i = 9; i < 40; ++i) EXPECT_EQ(stopped.out[i], 0) << i;
  EXPECT_EQ(stopped.out[40], 0xee);
}

TEST(Instrument, WhatCannotBeReadIsCountedAndSkipped) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.labels = {{"path", text_at("str(arg0)")}};
  Stopped stopped;
  stopped.arguments(64);
  EXPECT_EQ(stopped.run(only(counter).evaluate), 0U);
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 1U);
  EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, "*(int*)arg0 + 1")).evaluate), 0U);
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 2U);
  counter.labels.clear();
  counter.where = text_at("str(arg0) == \"x\"");
  EXPECT_EQ(stopped.run(only(counter).evaluate), 0U);
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 3U);
  EXPECT_EQ(stopped.lost(LOSS_REFUSED), 0U);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, NullSkipsWithoutBeingALoss) {
  Stopped stopped;
  for (const std::string expression : {"null", "arg0 / arg1", "1 + null", "arg1 ? 1 : null", "arg0 && null", "-null",
                                       "null == null", "min(null, 1)", "*(int*)null", "arg0 % (int)arg1"}) {
    stopped.arguments(7, 0);
    EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, expression)).evaluate), 0U) << expression;
    EXPECT_EQ(stopped.error, "") << expression;
  }
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 0U);
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("arg0 / arg1 >= 0");
  EXPECT_EQ(stopped.run(only(counter).evaluate), 0U);
  counter.where = text_at("null");
  EXPECT_EQ(stopped.run(only(counter).evaluate), 0U);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, OnlyWhatCWouldEvaluateIsEvaluated) {
  Stopped stopped;
  const auto value = [&](const std::string& expression) {
    EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, expression)).evaluate), 1U) << expression;
    EXPECT_EQ(stopped.error, "");
    return stopped.value();
  };
  stopped.arguments(0, 8);  // nothing is mapped at 8
  EXPECT_EQ(value("arg0 && *(int*)arg1"), 0);
  EXPECT_EQ(value("!arg0 || *(int*)arg1"), 1);
  EXPECT_EQ(value("arg0 ? *(int*)arg1 : 5"), 5);
  EXPECT_EQ(value("arg0 && null"), 0);
  EXPECT_EQ(value("arg0 && arg1 / arg0"), 0);
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 0U);
  EXPECT_EQ(stopped.user_reads, 0U);
}

TEST(Instrument, MemoryIsReadWithTheTypeOfTheCast) {
  const std::array<std::int32_t, 4> numbers = {1, -2, 3, -4};
  const char* const name = "redis";
  const std::array<const char*, 2> names = {"first", name};
  Stopped stopped;
  stopped.machine.map_user(numbers.data(), sizeof(numbers));
  stopped.machine.map_user(names.data(), sizeof(names));
  stopped.machine.map_user(name, 6);
  stopped.arguments(BpfMachine::address(numbers.data()), BpfMachine::address(names.data()));
  const auto value = [&](const std::string& expression) {
    EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, expression)).evaluate), 1U) << expression;
    EXPECT_EQ(stopped.error, "") << expression;
    return stopped.value();
  };
  EXPECT_EQ(value("((int*)arg0)[1]"), -2);
  EXPECT_EQ(value("*((int*)arg0 + 3)"), -4);
  EXPECT_EQ(value("*(1 + (int*)arg0)"), -2);
  EXPECT_EQ(value("*((s32*)(arg0 + 12) - 2)"), -2);
  EXPECT_EQ(value("*(u32*)(arg0 + 4)"), 0xfffffffeLL);
  EXPECT_EQ(value("*(u16*)(arg0 + 4)"), 0xfffe);
  EXPECT_EQ(value("*(short*)(arg0 + 4)"), -2);
  EXPECT_EQ(value("*(u8*)(arg0 + 4)"), 0xfe);
  EXPECT_EQ(value("*(char*)(arg0 + 4)"), -2);
  EXPECT_EQ(value("*(bool*)(arg0 + 4) + 1"), 2);
  EXPECT_EQ(value("*(bool*)(arg0 + 1)"), 0);
  EXPECT_EQ(value("*(s64*)arg0"), -8589934591LL);
  EXPECT_EQ(value("**(char**)(arg1 + 8)"), 'r');
  EXPECT_EQ(value("((char const * const *)arg1)[1][2]"), 'd');
  EXPECT_EQ(value("(char*)arg0 == 0"), 0);
  EXPECT_EQ(value("str(*(char**)(arg1 + 8)) == \"redis\""), 1);
  EXPECT_EQ(value("((int*)arg0)[0] + ((int*)arg0)[1] * ((int*)arg0)[2]"), -5);
}

TEST(Instrument, TextsAreComparedWhole) {
  Stopped stopped;
  std::array<char, 80> text{};
  stopped.machine.map_user(text.data(), text.size());
  const auto equal = [&](std::string_view target, const std::string& literal) {
    text.fill('\0');
    std::copy(target.begin(), target.end(), text.begin());
    stopped.arguments(BpfMachine::address(text.data()));
    EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, "str(arg0) == \"" + literal + "\"")).evaluate), 1U);
    const bool is_equal = stopped.value() == 1;
    EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, "\"" + literal + "\" != str(arg0)")).evaluate), 1U);
    EXPECT_EQ(stopped.value(), is_equal ? 0 : 1);
    EXPECT_EQ(stopped.error, "");
    return is_equal;
  };
  for (const std::string literal : {"", "a", "abcdef", "abcdefg", "abcdefgh", "/usr/bin/redis-server"}) {
    EXPECT_TRUE(equal(literal, literal)) << literal;
    EXPECT_FALSE(equal(literal + "x", literal)) << literal;
    EXPECT_FALSE(equal(literal + "xxxxxxxxxxxxxxxxxxxxxxxx", literal)) << literal;
    EXPECT_FALSE(equal("x" + literal, literal)) << literal;
    if (!literal.empty()) {
      EXPECT_FALSE(equal(literal.substr(0, literal.size() - 1), literal)) << literal;
    }
  }
  EXPECT_TRUE(equal(std::string(62, 'y'), std::string(62, 'y')));
  EXPECT_FALSE(equal(std::string(63, 'y'), std::string(62, 'y')));
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("comm == \"checkoutd\"");
  EXPECT_EQ(stopped.run(only(counter).evaluate), 1U);
  counter.where = text_at("comm != \"checkoutd\"");
  EXPECT_EQ(stopped.run(only(counter).evaluate), 0U);
}

TEST(Instrument, NamesOfTheHostComeFromTheKernel) {
  Stopped stopped;
  const auto value = [&](const std::string& expression) {
    EXPECT_EQ(stopped.run(only(of_type(InstrumentType::gauge, expression)).evaluate), 1U) << expression;
    EXPECT_EQ(stopped.error, "");
    return stopped.value();
  };
  EXPECT_EQ(value("pid"), 4242);
  EXPECT_EQ(value("tid"), 4243);
  EXPECT_EQ(value("uid"), 1000);
  EXPECT_EQ(value("cpu"), 3);
  EXPECT_EQ(value("now"), 1000);
  EXPECT_EQ(value("start"), 1000);
  EXPECT_EQ(value("pid * 1000000 + tid - cpu"), 4242004240);
}

TEST(Instrument, AReturnEventSeesArgumentsAsTheyWereAtTheCall) {
  spec::Instrument first = of_type(InstrumentType::gauge, "arg2 - arg0 + result");
  spec::Instrument second = of_type(InstrumentType::gauge, "*(int*)arg0 * (elapsed > 1us)");
  spec::Instrument third = of_type(InstrumentType::counter, "arg5");
  const Evaluated evaluated = compiled(probe_of({first, second, third}));
  ASSERT_EQ(evaluated.probe.saved.size(), 2U);
  EXPECT_EQ(evaluated.probe.saved[0].expression, "arg2");
  EXPECT_EQ(evaluated.probe.saved[1].expression, "arg0");
  ASSERT_TRUE(evaluated.probe.capture);
  EXPECT_EQ(evaluated.probe.instruments[2].phase, Phase::call);
  int number = 1;
  Stopped stopped;
  stopped.machine.map_user(&number, sizeof(number));
  stopped.arguments(BpfMachine::address(&number), 0, 300);
  ASSERT_EQ(stopped.run(*evaluated.probe.capture), 1U);
  ASSERT_EQ(stopped.error, "");
  stopped.arguments(1, 2, 3);  // the function has used its registers
  stopped.call().result = BpfMachine::address(&number) + 7;
  stopped.call().elapsed_ns = 5000;
  number = 42;  // memory is read at the return
  ASSERT_EQ(stopped.run(evaluated.probe.instruments[0].evaluate), 1U);
  EXPECT_EQ(stopped.value(), 307);
  ASSERT_EQ(stopped.run(evaluated.probe.instruments[1].evaluate), 1U);
  EXPECT_EQ(stopped.value(), 42);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, NothingIsCapturedWhereNothingIsNeeded) {
  const Evaluated evaluated =
      compiled(probe_of({of_type(InstrumentType::histogram), of_type(InstrumentType::gauge, "arg0")}));
  EXPECT_TRUE(evaluated.probe.saved.empty());
  EXPECT_FALSE(evaluated.probe.capture);
}

TEST(Instrument, StartAtTheReturnIsTheFramesAndDifferencesAreTimes) {
  spec::Instrument gauge = of_type(InstrumentType::gauge, "now - start");
  gauge.event = spec::Event::end;
  const Evaluation evaluation = only(gauge);
  EXPECT_EQ(evaluation.phase, Phase::end);
  EXPECT_TRUE(evaluation.unit_is_time);
  Stopped stopped;
  stopped.call().start_ns = 400;
  ASSERT_EQ(stopped.run(evaluation.evaluate), 1U);
  EXPECT_EQ(stopped.value(), 600);
}

TEST(Instrument, UnitsFollowTheArithmetic) {
  const std::vector<std::pair<std::string, bool>> cases = {{"elapsed", true},
                                                           {"elapsed - 1ms", true},
                                                           {"elapsed / 2", true},
                                                           {"2 * elapsed", true},
                                                           {"elapsed / 1us", false},
                                                           {"(u64)elapsed", false},
                                                           {"max(elapsed, 1ms)", true},
                                                           {"elapsed % 1s", true},
                                                           {"mag(elapsed)", true},
                                                           {"elapsed > 1ms", false},
                                                           {"arg0 ? elapsed : 0", true},
                                                           {"arg0 * 1ns", true},
                                                           {"arg0 ? elapsed : null", true},
                                                           {"elapsed >> 10", false},
                                                           {"-elapsed", true},
                                                           {"elapsed + 0", true},
                                                           {"5s / 10ms", false},
                                                           {"abs(now - start)", true}};
  for (const auto& [expression, is_time] : cases) {
    EXPECT_EQ(only(of_type(InstrumentType::gauge, expression)).unit_is_time, is_time) << expression;
  }
}

TEST(Instrument, LiteralsHaveTheirUnits) {
  Stopped stopped;
  const std::vector<std::pair<std::string, std::int64_t>> cases = {{"10", 10},
                                                                   {"0x1F", 31},
                                                                   {"017", 15},
                                                                   {"0b101", 5},
                                                                   {"1_000_000", 1000000},
                                                                   {"'a'", 97},
                                                                   {"'\\n'", 10},
                                                                   {"'\\xff'", -1},
                                                                   {"3ns", 3},
                                                                   {"3us", 3000},
                                                                   {"3ms", 3000000},
                                                                   {"3s", 3000000000},
                                                                   {"2m", 120000000000},
                                                                   {"1h", 3600000000000},
                                                                   {"2KiB", 2048},
                                                                   {"1MiB", 1048576},
                                                                   {"1GiB", 1073741824},
                                                                   {"2KB", 2000},
                                                                   {"1MB", 1000000},
                                                                   {"1GB", 1000000000},
                                                                   {"0xffffffff", 4294967295},
                                                                   {"4294967295u + 1", 0},
                                                                   {"4294967295 + 1", 4294967296},
                                                                   {"2147483647 + 1", -2147483648LL},
                                                                   {"0", 0},
                                                                   {"18446744073709551615 >> 63", 1},
                                                                   {"true + true", 2},
                                                                   {"'\\''", 39},
                                                                   {"1 << 33", 2},
                                                                   {"-2147483648", -2147483648LL},
                                                                   {"7ll", 7},
                                                                   {"0x10s", 16000000000}};
  for (const auto& [expression, value] : cases) {
    ASSERT_EQ(stopped.run(only(of_type(InstrumentType::gauge, expression)).evaluate), 1U) << expression;
    EXPECT_EQ(stopped.value(), value) << expression;
  }
}

TEST(Instrument, SamplingKeepsOneOfN) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.sample_every = 100;
  const Evaluation evaluation = only(counter);
  Stopped stopped;
  stopped.machine.random = 42949671;
  EXPECT_EQ(stopped.run(evaluation.evaluate), 1U);
  stopped.machine.random = 42949672;
  EXPECT_EQ(stopped.run(evaluation.evaluate), 0U);
  stopped.machine.random = 0xffffffff;
  EXPECT_EQ(stopped.run(evaluation.evaluate), 0U);
  counter.sample_every = 2;
  stopped.machine.random = 0x7fffffff;
  EXPECT_EQ(stopped.run(only(counter).evaluate), 1U);
  stopped.machine.random = 0x80000000;
  EXPECT_EQ(stopped.run(only(counter).evaluate), 0U);
  EXPECT_EQ(stopped.error, "");
}

TEST(Instrument, ARecordOfAMetricHasTheKeyAndThenTheValue) {
  spec::Instrument counter = of_type(InstrumentType::counter, "arg0");
  counter.labels = {{"a", text_at("arg1")}, {"r", text_at("\"eu\"")}, {"c", text_at("comm")}};
  counter.where = text_at("arg1 > 5");
  const Evaluation folded = only(counter);
  spec::Probe probe = probe_of({counter});
  probe.aggregate = spec::Aggregate::events;
  const Evaluation evaluation = compiled(probe).probe.instruments[0];
  EXPECT_FALSE(evaluation.fold);
  EXPECT_EQ(evaluation.payload_key_offset, 0U);
  EXPECT_EQ(evaluation.payload_value_offset, 24);
  EXPECT_EQ(evaluation.payload.size, 32U);
  EXPECT_EQ(evaluation.key.size, folded.key.size);
  Stopped stopped;
  stopped.arguments(9, 5);
  EXPECT_EQ(stopped.run(evaluation.admit, 0), 0U);
  stopped.arguments(9, 6);
  EXPECT_EQ(stopped.run(evaluation.admit, 0), 1U);
  EXPECT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
  EXPECT_EQ(stopped.error, "");
  EXPECT_THAT(shown(evaluation.payload, stopped, 0), ElementsAre("6", "eu", "checkoutd", "9"));
  EXPECT_EQ(stopped.value(24), 9);
  // The key's bytes are those of a fold.
  const std::vector<unsigned char> key(stopped.out.begin(), stopped.out.begin() + evaluation.key.size);
  EXPECT_EQ(stopped.run(folded.evaluate), 1U);
  EXPECT_TRUE(std::equal(key.begin(), key.end(), stopped.out.begin() + 8));
  stopped.arguments(static_cast<std::uint64_t>(-9), 6);
  EXPECT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 0U);
  EXPECT_EQ(stopped.lost(LOSS_REFUSED), 1U);
}

TEST(Instrument, AHistogramsRecordKeepsItsBoundsForTheDaemon) {
  spec::Probe probe = probe_of({of_type(InstrumentType::histogram, "arg0")});
  probe.aggregate = spec::Aggregate::events;
  const Evaluation evaluation = compiled(probe).probe.instruments[0];
  EXPECT_EQ(evaluation.bounds.size(), 32U);
  Stopped stopped;
  stopped.arguments(77);
  EXPECT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
  EXPECT_EQ(stopped.value(static_cast<std::size_t>(evaluation.payload_value_offset)), 77);
}

TEST(Instrument, LabelsTooLongForTheKernelGoThroughTheRing) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.labels = {{"a", text_at("str(arg0, 127)")}};
  EXPECT_TRUE(only(counter).fold);
  counter.labels.push_back({"b", text_at("cpu")});
  const Evaluation evaluation = only(counter);
  EXPECT_FALSE(evaluation.fold);
  EXPECT_EQ(evaluation.payload_value_offset, 136);
}

spec::Instrument log_of(const std::vector<std::string>& expressions) {
  spec::Instrument log = of_type(InstrumentType::log);
  log.message.emplace();
  log.message->texts.emplace_back();
  for (const std::string& expression : expressions) {
    log.message->expressions.push_back(text_at(expression));
    log.message->texts.emplace_back();
  }
  return log;
}

TEST(Instrument, ALogWritesEveryByteOfItsPayload) {
  spec::Instrument log = log_of({"arg0", "str(arg1)", "arg0 / arg2", "comm", "str(arg2, 16)", "\"x\"", "null"});
  log.value = text_at("arg0 + 1");
  log.labels = {{"l", text_at("(u8)arg0")}};
  spec::Probe probe = probe_of({log});
  probe.limits.string_bytes = 50;
  const Evaluation evaluation = compiled(probe).probe.instruments[0];
  EXPECT_FALSE(evaluation.fold);
  EXPECT_EQ(evaluation.payload_key_offset, 8U);
  EXPECT_EQ(evaluation.payload_value_offset, 16);
  EXPECT_EQ(evaluation.payload.size, 8U + 8 + 8 + 8 + 56 + 8 + 16 + 24 + 8);
  EXPECT_EQ(evaluation.payload.columns[3].name, "str(arg1)");
  const std::string text = "hello";
  Stopped stopped;
  stopped.machine.map_user(text.data(), text.size() + 1);
  stopped.arguments(300, BpfMachine::address(text.data()), 0);
  ASSERT_EQ(stopped.run(evaluation.admit, 0), 1U);
  ASSERT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
  EXPECT_EQ(stopped.error, "");
  EXPECT_THAT(shown(evaluation.payload, stopped, 0),
              ElementsAre("44", "301", "300", "hello", "null", "checkoutd", "null", "x", "null"));
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 1U);  // the text at 0; dividing by zero is no loss
  const auto rubbish = std::count(stopped.out.begin(), stopped.out.begin() + evaluation.payload.size, 0xee);
  EXPECT_EQ(rubbish, 0);
  stopped.arguments(300, BpfMachine::address(text.data()), BpfMachine::address(text.data()));
  ASSERT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
  EXPECT_THAT(shown(evaluation.payload, stopped, 0),
              ElementsAre("44", "301", "300", "hello", "0", "checkoutd", "hello", "x", "null"));
}

TEST(Instrument, ALogWithoutNullableFieldsHasNoWordOfNulls) {
  const Evaluation evaluation = only(log_of({"arg0", "elapsed"}));
  EXPECT_EQ(evaluation.phase, Phase::return_);
  EXPECT_EQ(evaluation.payload.size, 16U);
  EXPECT_EQ(evaluation.payload.columns[1].type, event::ColumnType::nanoseconds);
}

TEST(Instrument, ALogsNullValueEmitsNothing) {
  spec::Instrument log = log_of({"arg0"});
  log.value = text_at("*(int*)arg0");
  Stopped stopped;
  const Evaluation evaluation = only(log);
  EXPECT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 0U);
  EXPECT_EQ(stopped.lost(LOSS_UNREADABLE), 1U);
}

TEST(Instrument, ALogsValueMayBeAText) {
  const std::string text = "hello";
  Stopped stopped;
  stopped.machine.map_user(text.data(), text.size() + 1);
  stopped.arguments(BpfMachine::address(text.data()));
  const Evaluation evaluation = only(of_type(InstrumentType::log, "str(arg0)"));
  EXPECT_EQ(evaluation.payload.size, 256U);
  ASSERT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
  EXPECT_THAT(shown(evaluation.payload, stopped, 0), ElementsAre("hello"));
}

TEST(Instrument, SixtyFourNullsHaveABitEach) {
  std::vector<std::string> expressions;
  for (int i = 0; i < 64; ++i) expressions.push_back("arg0 / (arg1 - " + std::to_string(i) + ")");
  const Evaluation evaluation = only(log_of(expressions));
  for (const std::size_t null : {std::size_t{0}, std::size_t{31}, std::size_t{32}, std::size_t{63}}) {
    Stopped stopped;
    stopped.arguments(1000, null);
    ASSERT_EQ(stopped.run(evaluation.evaluate, evaluation.payload.size), 1U);
    const auto texts = shown(evaluation.payload, stopped, 0);
    for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(texts[i] == "null", i == null) << i;
    EXPECT_EQ(stopped.error, "");
  }
}

TEST(Instrument, ALogMayBeEmpty) {
  const Evaluation evaluation = only(of_type(InstrumentType::log));
  Stopped stopped;
  EXPECT_EQ(evaluation.payload.size, 0U);
  EXPECT_EQ(stopped.run(evaluation.evaluate, 0), 1U);
  EXPECT_EQ(stopped.error, "");
}

}  // namespace
}  // namespace diagnose::compile
