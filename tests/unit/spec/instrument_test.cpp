#include <cmath>
#include <gmock/gmock.h>

#include "reading.h"

namespace diagnose::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Instrument instrument_of(const std::string& text) {
  const Probe probe = probe_of(with_instrument(text));
  if (probe.instruments.size() != 1) return {};
  return probe.instruments.front();
}

TEST(Instrument, EveryKeyIsRead) {
  const Instrument gauge = instrument_of(
      "{type: gauge, name: shop.stock, operation: max, value: arg1 * 2, where: 'arg0 != 0', event: end, sample: 1/100, "
      "unit: bytes, help: 'In stock: much', labels: {z: tid, a: comm}}");
  EXPECT_EQ(gauge.type, InstrumentType::gauge);
  EXPECT_EQ(gauge.name.text, "shop_stock");
  EXPECT_EQ(gauge.operation, GaugeOperation::max);
  EXPECT_EQ(gauge.value->text, "arg1 * 2");
  EXPECT_EQ(gauge.where->text, "arg0 != 0");
  EXPECT_EQ(gauge.event, Event::end);
  EXPECT_EQ(gauge.sample_every, 100U);
  EXPECT_EQ(gauge.unit, "bytes");
  EXPECT_EQ(gauge.help, "In stock: much");
  ASSERT_THAT(gauge.labels, SizeIs(2));
  EXPECT_EQ(gauge.labels[0].name, "a");
  EXPECT_EQ(gauge.labels[1].name, "z");
  const Instrument log = instrument_of("{type: log, value: str(arg0), max_chars: 80}");
  EXPECT_EQ(log.max_chars, 80U);
  EXPECT_EQ(log.name.text, "");
}

TEST(Instrument, EventsAndOperationsAreReadByName) {
  EXPECT_EQ(instrument_of("{type: counter, name: n, event: call}").event, Event::call);
  EXPECT_EQ(instrument_of("{type: counter, name: n, event: return}").event, Event::return_);
  EXPECT_EQ(instrument_of("{type: gauge, name: n, operation: inc}").operation, GaugeOperation::inc);
  EXPECT_EQ(instrument_of("{type: gauge, name: n, operation: dec}").operation, GaugeOperation::dec);
  EXPECT_EQ(instrument_of("{type: gauge, name: n, operation: min, value: 1}").operation, GaugeOperation::min);
  EXPECT_EQ(instrument_of("{type: gauge, name: n, operation: set, value: 1}").operation, GaugeOperation::set);
}

TEST(Instrument, AnExpressionIsTheTextAsWrittenWhateverYamlMakesOfIt) {
  for (const std::string text : {"1", "0x1F", "0123", "1.50", "true", "null", "-1", "99999999999999999999"}) {
    EXPECT_EQ(instrument_of("{type: counter, name: n, value: " + text + "}").value->text, text);
  }
  EXPECT_EQ(instrument_of("{type: counter, name: n, value: '*arg0 + 1'}").value->text, "*arg0 + 1");
}

TEST(Instrument, AnExpressionsPlaceIsItsFirstCharacter) {
  const auto place = [](const std::string& value) {
    return probe_of("probes:\n  p:\n    target: m:f\n    instrument:\n      type: log\n      value: " + value + "\n")
        .instruments.front()
        .value->place.text();
  };
  EXPECT_EQ(place("arg0"), "t.yaml:6:14");
  EXPECT_EQ(place("   arg0"), "t.yaml:6:17");
  EXPECT_EQ(place("\"arg0\""), "t.yaml:6:15");
  EXPECT_EQ(place("'arg0'"), "t.yaml:6:15");
}

TEST(Instrument, ACountersNameMayBeWrittenWithOrWithoutTotal) {
  EXPECT_EQ(instrument_of("{type: counter, name: shop.items}").name.text, "shop_items");
  EXPECT_EQ(instrument_of("{type: counter, name: shop.items_total}").name.text, "shop_items");
  EXPECT_EQ(instrument_of("{type: counter, name: 'a:b'}").name.text, "a:b");
  EXPECT_EQ(instrument_of("{type: log, value: 1, name: a_count}").name.text, "a_count");
}

TEST(Instrument, NamesThatPrometheusOrWeKeepAreRefused) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{type: counter, name: 'a b'}",
       "`name: a b`: a metric's name has letters, digits, `_` and `.`, and begins with a letter: write it like "
       "`shop.checkout`"},
      {"{type: counter, name: 9a}",
       "`name: 9a`: a metric's name has letters, digits, `_` and `.`, and begins with a letter: write it like "
       "`shop.checkout`"},
      {"{type: counter, name: diagnose.hits}",
       "`name: diagnose.hits`: names that begin with `diagnose` are the daemon's own: choose another name"},
      {"{type: gauge, value: 1, name: a_total}",
       "`name: a_total`: names ending in `_total` have a meaning of their own in Prometheus: write `name: a`"},
      {"{type: histogram, name: a.bucket}",
       "`name: a.bucket`: names ending in `_bucket` have a meaning of their own in Prometheus: write `name: a`"},
      {"{type: counter, name: a_sum_total}",
       "`name: a_sum_total`: names ending in `_sum` have a meaning of their own in Prometheus: write `name: a`"},
      {"{type: counter, name: _total}",
       "`name: _total`: names ending in `_total` have a meaning of their own in Prometheus: choose another name"},
      {"{type: counter, name: ''}", "`name`: is empty: write a value, or leave the key out"},
      {"{type: counter, name: [a]}",
       "`name`: must be text, not a list: put quotes around text that begins with `{` or `[`"},
  };
  for (const auto& [text, fault] : wrong) expect_fault(with_instrument(text), fault);
}

TEST(Instrument, WhatIsMissingOrDoesNotBelongIsAFault) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{name: n}", "`type` is missing: an instrument needs one: add `type: counter`, `gauge`, `histogram` or `log`"},
      {"{type: counter}",
       "`name` is missing: a counter needs one: it becomes the metric's name: add a name, as in `name: shop.checkout`"},
      {"{type: gauge, name: n}",
       "`value` is missing: a gauge needs one, but for `operation: inc` and `dec`: add a value, as in `value: arg0`"},
      {"{type: log}",
       "the log has nothing to say: neither `value` nor `message` stands: add `value: arg0`, or `message: 'took "
       "{elapsed}'`"},
      {"{type: counter, name: n, buckets: {explicit: [1]}}",
       "`buckets`: a counter has none: remove it, or write `type: histogram`"},
      {"{type: histogram, name: n, operation: inc}",
       "`operation`: a histogram has none: remove it, or write `type: gauge`"},
      {"{type: counter, name: n, message: hi}", "`message`: a counter has none: remove it, or write `type: log`"},
      {"{type: counter, name: n, max_chars: 5}", "`max_chars`: a counter has none: remove it, or write `type: log`"},
      {"{type: counter, name: n, event: exit}", "`event: exit`: no such event: use `call`, `return`, `error` or `end`"},
      {"{type: gauge, name: n, value: 1, operation: increment}",
       "`operation: increment`: no such operation: use `set`, `inc`, `dec`, `min` or `max`"},
      {"{type: counter, name: n, sample: 100}", "`sample: 100`: is not one in N: write `sample: 1/100`"},
      {"{type: counter, name: n, sample: 1/0}", "`sample: 1/0`: is not one in N: write `sample: 1/100`"},
      {"{type: counter, name: n, sample: 1/4294967296}",
       "`sample: 1/4294967296`: is not one in N: write `sample: 1/100`"},
      {"{type: counter, name: n, unit: m/s}",
       "`unit: m/s`: it ends the metric's name, so it has lower-case letters, digits and `_` only: write `unit: bytes` "
       "or `unit: seconds`"},
      {"{type: counter, name: n, value: }", "`value`: must be text, not nothing: write a value, or leave the key out"},
      {"{type: counter, name: n, where: '  '}", "`where`: is blank: write an expression, or leave the key out"},
      {"{type: counter, name: n, where: {a: b}}",
       "`where`: must be text, not a mapping: put quotes around text that begins with `{` or `[`"},
      {"{type: log, value: 1, max_chars: 0}", "`max_chars: 0`: out of range: write a whole number, 1 to 65536"},
      {"{type: counter, name: n, where: '" + std::string(1025, '1') + "'}",
       "`where`: the expression has 1025 characters, at most 1024 are read: shorten it, or split it over several "
       "labels"},
  };
  for (const auto& [text, fault] : wrong) expect_fault(with_instrument(text), fault);
}

TEST(Instrument, LabelNamesAreCheckedAndTheirNumberBounded) {
  for (const std::string name : {"a-b", "9a", "''", "a.b", "a:b"}) {
    EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, labels: {" + name + ": arg0}}")),
                ElementsAre(HasSubstr("its name has letters, digits and `_` only")))
        << name;
  }
  for (const std::string name : {"probe", "le", "__name__"}) {
    EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, labels: {" + name + ": arg0}}")),
                ElementsAre(HasSubstr("are taken")))
        << name;
  }
  EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, labels: [a]}")),
              ElementsAre(HasSubstr("`labels`: must be a mapping, not a list")));
  EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, labels: {a: {b: c}}}")),
              ElementsAre(HasSubstr("`a`: must be text, not a mapping")));
  std::string many;
  for (int i = 0; i < 16; ++i) many += "l" + std::to_string(i) + ": arg0, ";
  EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, labels: {" + many + "}}")), IsEmpty());
  EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, labels: {" + many + "one: arg0}}")),
              ElementsAre(HasSubstr("17 of them, at most 16")));
}

TEST(Instruments, AListHoldsOneToSixteenAndTheirSeriesMustDiffer) {
  const auto with_list = [](const std::string& list) {
    return "probes: {p: {target: 'm:f', instruments: " + list + "}}";
  };
  EXPECT_THAT(probe_of(with_list("[{type: counter, name: a}, {type: histogram, name: a}]")).instruments, SizeIs(2));
  EXPECT_THAT(probe_of(with_list("[{type: counter, name: a}, {type: counter, name: a, labels: {l: tid}}]")).instruments,
              SizeIs(2));
  EXPECT_THAT(probe_of(with_list("[{type: log, value: 1}, {type: log, value: 1}]")).instruments, SizeIs(2));
  expect_fault(with_list("[{type: counter, name: a.b}, {type: incr, name: a_b_total}]"),
               "the name `a_b`: another counter of this probe has it, with the same labels: rename one");
  expect_fault(with_list("[]"),
               "`instruments`: the list is empty: write each instrument behind a `-`, or use `instrument:` for one");
  expect_fault(with_list("{type: counter, name: a}"),
               "`instruments`: must be a list, not a mapping: write each instrument behind a `-`, or use `instrument:` "
               "for one");
  std::string many;
  for (int i = 0; i < 17; ++i) many += "{type: counter, name: n" + std::to_string(i) + "}, ";
  expect_fault(with_list("[" + many + "]"),
               "`instruments`: 17 of them, at most 16 fit a probe: split them over several probes on the same "
               "function");
  expect_fault(with_instrument("[{type: counter, name: a}]"),
               "`instrument`: must be one mapping, not a list: write `instruments:` for a list");
  expect_fault(
      "probes: {p: {target: 'm:f', instrument: {type: counter, name: a}, instruments: [{type: counter, name: b}]}}",
      "`instruments`: `instrument` stands beside it: move that one into the list");
}

Buckets buckets_of(const std::string& buckets) {
  const auto read = instrument_of("{type: histogram, name: n, buckets: " + buckets + "}").buckets;
  return read.value_or(Buckets{});
}

TEST(Buckets, ShapesBecomeAscendingBounds) {
  EXPECT_THAT(buckets_of("{exponential: {start: 1, factor: 2, count: 5}}").bounds, ElementsAre(1, 2, 4, 8, 16));
  EXPECT_THAT(buckets_of("{linear: {start: -5, width: 5, count: 3}}").bounds, ElementsAre(-5, 0, 5));
  EXPECT_THAT(buckets_of("{explicit: [1, 2.5, 1e3]}").bounds, ElementsAre(1, 2.5, 1000));
  EXPECT_FALSE(buckets_of("{explicit: [1, 2.5, 1e3]}").in_time);
  EXPECT_THAT(buckets_of("{exponential: {start: 1, factor: 1.1, count: 128}}").bounds, SizeIs(128));
}

TEST(Buckets, TimesBecomeNanoseconds) {
  const Buckets times = buckets_of("{explicit: [0, 5ns, 1us, \"2\u00b5s\", 1.5 ms, 1s, 1m, 1h]}");
  EXPECT_TRUE(times.in_time);
  EXPECT_THAT(times.bounds, ElementsAre(0, 5, 1e3, 2e3, 1.5e6, 1e9, 60e9, 3600e9));
  const Buckets doubling = buckets_of("{exponential: {start: 1us, factor: 2, count: 24}}");
  EXPECT_TRUE(doubling.in_time);
  EXPECT_EQ(doubling.bounds.back(), 1000.0 * std::pow(2, 23));
  EXPECT_TRUE(buckets_of("{linear: {start: 0, width: 10ms, count: 3}}").in_time);
}

TEST(Buckets, WhatIsWrongIsAFault) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{explicit: [1, 3, 2]}", "bounds must ascend"},
      {"{explicit: [1, 1]}", "bounds must ascend"},
      {"{explicit: [1ms, 5, 10ms]}", "`5`: has no unit, and others here have one: write `5ns`"},
      {"{explicit: [fast]}", "`explicit: fast`: is not a number, nor a time"},
      {"{explicit: [1 fortnight]}", "is not a number, nor a time"},
      {"{explicit: [.nan]}", "is not a number, nor a time"},
      {"{explicit: [1e30]}", "in 64 bits"},
      {"{explicit: [1e15h]}", "in 64 bits"},
      {"{explicit: []}", "0 bounds, 1 to 128 are possible"},
      {"{explicit: 5}", "must be a list, not text"},
      {"{explicit: [{a: 1}]}", "must be text, not a mapping"},
      {"{exponential: {start: 0, factor: 2, count: 5}}", "must be greater than zero"},
      {"{exponential: {start: 1, factor: 1, count: 5}}", "must be a number greater than one"},
      {"{exponential: {start: 1, factor: two, count: 5}}", "must be a number greater than one"},
      {"{exponential: {start: 1, factor: 2, count: 129}}",
       "`count: 129`: out of range: write a whole number, 1 to 128"},
      {"{exponential: {start: 1, factor: 2, count: 128}}", "the last bounds do not fit in 64 bits"},
      {"{exponential: {start: 1, factor: 1e300, count: 128}}", "the last bounds do not fit in 64 bits"},
      {"{exponential: {start: 1, factor: 2}}", "`count` is missing"},
      {"{exponential: {start: 1, factor: 2, count: 5, base: 2}}", "unknown key `base`"},
      {"{exponential: 5}", "`exponential`: must be a mapping"},
      {"{linear: {start: 1, width: 0, count: 5}}", "must be greater than zero"},
      {"{linear: {start: 1ms, width: 5, count: 5}}", "`5`: has no unit"},
      {"{linear: {start: 9e18, width: 1e18, count: 5}}", "the last bounds do not fit in 64 bits"},
      {"{linear: [1, 2]}", "`linear`: must be a mapping"},
      {"{}", "exactly one of"},
      {"{explicit: [1], linear: {start: 1, width: 1, count: 1}}", "exactly one of"},
      {"[1, 2]", "`buckets`: must be a mapping, not a list"},
      {"{exponentail: {start: 1, factor: 2, count: 5}}", "did you mean `exponential`?"},
  };
  for (const auto& [buckets, fault] : wrong) {
    const std::string text = with_instrument("{type: histogram, name: n, buckets: " + buckets + "}");
    EXPECT_THAT(faults_of(text), ElementsAre(HasSubstr(fault))) << text;
  }
  std::string many;
  for (int i = 0; i < 129; ++i) many += std::to_string(i) + ", ";
  EXPECT_THAT(faults_of(with_instrument("{type: histogram, name: n, buckets: {explicit: [" + many + "]}}")),
              ElementsAre(HasSubstr("129 bounds")));
}

Message message_of(const std::string& message) {
  return instrument_of("{type: log, message: " + message + "}").message.value_or(Message{});
}

TEST(Message, ATemplateIsSplitIntoTextsAndExpressions) {
  const Message message = message_of("\"took {elapsed} for {str(arg0, 8)}\"");
  EXPECT_THAT(message.texts, ElementsAre("took ", " for ", ""));
  ASSERT_THAT(message.expressions, SizeIs(2));
  EXPECT_EQ(message.expressions[0].text, "elapsed");
  EXPECT_EQ(message.expressions[1].text, "str(arg0, 8)");
  // probes: {p: {target: 'm:f', instrument: {type: log, message: "took {elapsed
  EXPECT_EQ(message.expressions[0].place.text(), "t.yaml:1:69");
  EXPECT_THAT(message_of("plain").texts, ElementsAre("plain"));
  EXPECT_THAT(message_of("'{arg0}'").texts, ElementsAre("", ""));
}

TEST(Message, DoubledBracesAreText) {
  const Message message = message_of("'{{{arg0}}} {{}}'");
  EXPECT_THAT(message.texts, ElementsAre("{", "} {}"));
  EXPECT_EQ(message.expressions[0].text, "arg0");
}

TEST(Message, BracesInAStringLiteralDoNotEndAnExpression) {
  const Message message = message_of(R"('{startswith(str(arg0), "}\"{")} end')");
  ASSERT_THAT(message.expressions, SizeIs(1));
  EXPECT_EQ(message.expressions[0].text, R"(startswith(str(arg0), "}\"{"))");
  EXPECT_EQ(message.texts[1], " end");
}

TEST(Message, BrokenTemplatesAreFaultsAtTheBrace) {
  const auto faults = [](const std::string& message) {
    return faults_of("probes:\n p:\n  target: m:f\n  instrument:\n   type: log\n   message: '" + message + "'\n");
  };
  EXPECT_THAT(faults("a {arg0"),
              ElementsAre(HasSubstr("t.yaml:6:16: `{` in the message: the expression behind it is never closed")));
  EXPECT_THAT(faults("a {arg0 {arg1}"), ElementsAre(HasSubstr("t.yaml:6:16: `{` in the message")));
  EXPECT_THAT(faults("a } b }"),
              ElementsAre(HasSubstr("t.yaml:6:16: `}` in the message: it closes nothing"), HasSubstr("t.yaml:6:20:")));
  EXPECT_THAT(faults("{}"), ElementsAre(HasSubstr("there is no expression in it")));
  EXPECT_THAT(faults("{ }"), ElementsAre(HasSubstr("there is no expression in it")));
  std::string many;
  for (int i = 0; i < 17; ++i) many += "{arg0}";
  EXPECT_THAT(faults(many), ElementsAre(HasSubstr("more than 16 expressions")));
  EXPECT_THAT(faults_of(with_instrument("{type: log, message: {elapsed}}")),
              ElementsAre(HasSubstr("must be text, not a mapping: put quotes around text that begins with `{`")));
}

}  // namespace
}  // namespace diagnose::spec
