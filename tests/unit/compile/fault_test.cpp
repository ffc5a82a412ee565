// What is said of expressions that are wrong, and where.  And that rubbish of any kind is only ever a fault.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "base/limits.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

using spec::InstrumentType;
using testing::HasSubstr;

// Faults of `value: EXPRESSION`, which begins at 3:10.
std::string faults(const std::string& expression) {
  return faults_text(evaluate(probe_of({of_type(InstrumentType::gauge, expression)})));
}

struct Case {
  std::string expression;
  std::string fault;
};

const std::string debug_information = "need debug information, and there is none";
const std::string install = "install the debug package of the target, build it with -g, or ";

TEST(Fault, SyntaxIsToldWithItsColumn) {
  const std::vector<Case> cases = {
      {"", "3:10: expression: is empty: write one, or remove the key\n"},
      {"arg0 +", "3:16: expression: ends too early: complete it\n"},
      {"(arg0", "3:15: expression: `)` is missing at its end: add it\n"},
      {"arg0)", "3:14: `)`: not expected here: an operator or the end is missing before it\n"},
      {"arg0 arg1", "3:15: `arg1`: not expected here: an operator or the end is missing before it\n"},
      {"arg0 \"x\"", "3:15: \"x\": not expected here: an operator or the end is missing before it\n"},
      {"arg0 = 1", "3:15: `=`: a probe never changes its target: compare with `==`\n"},
      {"arg0 += 1", "3:15: `+=`: a probe never changes its target: remove it\n"},
      {"++arg0", "3:10: `++`: a probe never changes its target: remove it\n"},
      {"arg0--", "3:14: `--`: a probe never changes its target: remove it\n"},
      {"Color::", "3:17: expression: ends too early: complete it\n"},
      {"::", "3:12: expression: ends too early: complete it\n"},
      {"libc.so.6!1",
       "3:19: `!`: not expected here: a global of a module is written `libx.so!name`, or with other signs in its name "
       "`\"lib-x.so\"!name`\n"},
      {"libc.so.6!",
       "3:19: `!`: not expected here: a global of a module is written `libx.so!name`, or with other signs "
       "in its name `\"lib-x.so\"!name`\n"},
      {"arg0 @ 1", "3:15: `@`: no expression has this character: remove it\n"},
      {"arg0 \x01", "3:15: `\\x01`: no expression has this character: remove it\n"},
      {"08", "3:11: `8`: no digit of a number in base 8: a leading 0 makes a number octal, as in C: remove it\n"},
      {"0b12", "3:13: `2`: no digit of a number in base 2\n"},
      {"0x", "3:10: `0x`: a number without digits\n"},
      {"1.5ms", "3:10: `1.`: numbers here are whole: use a smaller unit: `1500us` for 1.5 ms\n"},
      {"10days",
       "3:10: `10days`: unknown unit `days`: times: ns us ms s m h; sizes: KB MB GB KiB MiB GiB; widths as in C: u l "
       "ul "
       "ll ull\n"},
      {"18446744073709551616", "3:10: `18446744073709551616`: does not fit in 64 bits\n"},
      {"99999999999h", "3:10: `99999999999h`: does not fit in 64 bits\n"},
      {"99999999999GiB", "3:10: `99999999999GiB`: does not fit in 64 bits\n"},
      {"'ab'", "3:10: `'`: a character is one byte between quotes: 'x': texts take double quotes: \"...\"\n"},
      {"''", "3:10: `'`: a character is one byte between quotes: 'x': texts take double quotes: \"...\"\n"},
      {"'", "3:10: `'`: a character is one byte between quotes: 'x': texts take double quotes: \"...\"\n"},
      {"'\\q'", "3:10: `\\q`: unknown escape: use \\n \\t \\r \\0 \\\\ \\' \\\" or \\xHH\n"},
      {"comm == \"abc", "3:18: `\"`: the text has no end: close it with `\"`\n"},
      {"comm == \"abc\\", "3:18: `\"`: the text has no end: close it with `\"`\n"},
      {"comm == \"a\\0\"", "3:18: text: a text cannot hold a NUL: C's strings end there: remove it\n"},
      {"(unsigned bool)arg0",
       "3:11: `unsigned bool`: no type of C: write for example u32, int, unsigned long, char *\n"},
      {"(const)arg0", "3:11: ``: no type of C: write for example u32, int, unsigned long, char *\n"},
  };
  for (const auto& [expression, fault] : cases) EXPECT_EQ(faults(expression), fault) << expression;
}

TEST(Fault, NamesAreToldWithWhatToWriteInstead) {
  const std::vector<Case> cases = {
      {"1 + elapsd", "3:14: `elapsd`: unknown name: did you mean `elapsed`?\n"},
      {"arg", "3:10: `arg`: unknown name: did you mean `arg0`?\n"},
      {"reslt", "3:10: `reslt`: unknown name: did you mean `result`?\n"},
      {"size", "3:10: `size`: unknown name; names of parameters " + debug_information + ": " + install +
                   "use the parameter's position: `arg0` to `arg5`\n"},
      {"Color::red",
       "3:10: `Color::red`: globals and enumerators " + debug_information + ": " + install + "write the number\n"},
      {"arg6",
       "3:10: `arg6`: only the first six integers and pointers are passed in registers: use `arg0` to `arg5`\n"},
      {"mag", "3:10: `mag`: is a function: write `mag(...)`\n"},
      {"pid(1)", "3:10: `pid`: is no function: remove the parentheses\n"},
      {"magn(1)", "3:10: `magn`: unknown function: did you mean `mag`?\n"},
      {"frobnicate(arg0)",
       "3:10: `frobnicate`: unknown function; a probe cannot call into its target: there are str, "
       "len, startswith, mag, min, max, abs, sizeof, hex\n"},
      {"len(arg0)", "3:10: `len`: needs a text or a sequence of the target: write for example `len(str(arg0))`\n"},
      {"arg0->size",
       "3:14: `->size`: members " + debug_information + ": " + install + "read at an offset: `*(u32 *)(arg0 + 16)`\n"},
      {"arg.size", "3:13: `size`: unknown name; names of parameters " + debug_information + ": " + install +
                       "use the parameter's position: `arg0` to `arg5`\n"},
      {"&arg0",
       "3:10: `&`: its operand is not in memory: it has no address: an argument that is an address is one already: "
       "`arg0`\n"},
      {"(struct req *)arg0", "3:10: `struct req`: types of the target " + debug_information + ": " + install +
                                 "read at an offset: `*(u32 *)(arg0 + 16)`\n"},
      {"(double)arg0",
       "3:10: `double`: floating point travels in xmm registers, which a uprobe cannot read: measure an "
       "integer\n"},
  };
  for (const auto& [expression, fault] : cases) EXPECT_EQ(faults(expression), fault) << expression;
}

TEST(Fault, TypesThatDoNotGoTogetherAreTold) {
  const std::string number_time = "a time on one side and a plain number on the other: ";
  const std::string as_number = "say what one is worth: `x * 1ns`, or take the time's nanoseconds: `(u64)elapsed`\n";
  const std::vector<Case> cases = {
      {"elapsed > 10", "3:20: `>`: " + number_time + "write the unit you mean: `10ms`, us, ns, s\n"},
      {"7 + elapsed", "3:10: `+`: " + number_time + "write the unit you mean: `7ms`, us, ns, s\n"},
      {"elapsed > arg0", "3:20: `>`: " + number_time + as_number},
      {"max(arg0, elapsed)", "3:14: `max`: " + number_time + as_number},
      {"arg0 ? elapsed : arg1", "3:27: `?:`: " + number_time + as_number},
      {"elapsed * elapsed",
       "3:18: `*`: a time cannot be multiplied by a time: take one's nanoseconds: `(u64)elapsed`\n"},
      {"arg0 / elapsed",
       "3:15: `/`: a plain number cannot be divided by a time: take the time's nanoseconds: "
       "`(u64)elapsed`\n"},
      {"arg0 / 0", "3:15: `/`: division by zero is null, always: divide by something else\n"},
      {"arg0 % (u8)256", "3:15: `%`: division by zero is null, always: divide by something else\n"},
      {"5 / (1 - 1)", "3:12: `/`: division by zero is null, always: divide by something else\n"},
      {"*arg0",
       "3:10: `*`: what it points at is not known: without debug information arguments are integers: say it "
       "with a cast: `*(u32 *)arg0`\n"},
      {"arg0[1]",
       "3:14: `[]`: what it points at is not known: without debug information arguments are integers: say it "
       "with a cast: `((int *)arg0)[2]`\n"},
      {"*(void *)arg0",
       "3:10: `*`: a `void *` points at nothing in particular: say what it is with a cast: `*(u32 "
       "*)arg0`\n"},
      {"(void)arg0", "3:10: `void`: has no values: cast to a number or a pointer\n"},
      {"-(int *)arg0", "3:10: `-`: an address is no number: cast it first: `(u64)x`\n"},
      {"(int *)arg0 * 2", "3:22: `*`: an address is no number: cast it first: `(u64)x`\n"},
      {"(int *)arg0 - elapsed",
       "3:22: address: only a plain number can be added to or taken from an address: cast to "
       "u64 first\n"},
      {"arg0 ? (int *)arg1 : 5", "3:15: `?:`: chooses between an address and something else: cast both to one type\n"},
      {"comm + 1", "3:10: text: `+` takes numbers: texts can be compared with `==` and `!=`\n"},
      {"!comm", "3:11: text: `!` takes numbers: texts can be compared with `==` and `!=`\n"},
      {"(int)comm", "3:15: text: a cast takes numbers: texts can be compared with `==` and `!=`\n"},
      {"comm < \"a\"", "3:10: text: `<` takes numbers: texts can be compared with `==` and `!=`\n"},
      {"comm && 1", "3:10: text: `&&` takes numbers: texts can be compared with `==` and `!=`\n"},
      {"comm == str(arg0)",
       "3:15: text: a text can only be compared with a literal text: write `str(arg0) == \"...\"` "
       "or `comm == \"...\"`\n"},
      {"arg0 == \"x\"",
       "3:15: text: a text can only be compared with a literal text: write `str(arg0) == \"...\"` or "
       "`comm == \"...\"`\n"},
      {"comm == \"longer than a comm\"", "3:18: text: longer than the 15 characters that are compared: shorten it\n"},
      {"str(arg0) == \"" + std::string(63, 'x') + "\"",
       "3:23: text: longer than the 62 characters that are compared: shorten it\n"},
      {"arg0 ? \"a\" : 5",
       "3:23: `?:`: chooses between a text and a number: write the number as a text, or use two labels or fields\n"},
      {"str((int)arg0) == \"x\"", "3:14: `str`: needs an address of characters: write for example `str(arg0)`\n"},
      {"str((int *)arg0) == \"x\"", "3:14: `str`: needs an address of characters: write for example `str(arg0)`\n"},
      {"str(arg0, 257) == \"x\"",
       "3:20: `str`: its length is a constant from 1 to 256 here: write for example "
       "`str(arg0, 64)`\n"},
      {"str(arg0, arg1) == \"x\"",
       "3:20: `str`: its length is a constant from 1 to 256 here: write for example "
       "`str(arg0, 64)`\n"},
      {"mag(arg0, 1)", "3:20: `mag`: its base is a constant from 2 to 1000: write for example `mag(x, 2)`\n"},
      {"mag(arg0, base=1001)", "3:25: `mag`: its base is a constant from 2 to 1000: write for example `mag(x, 2)`\n"},
      {"mag(arg0, arg1)", "3:20: `mag`: its base is a constant from 2 to 1000: write for example `mag(x, 2)`\n"},
      {"mag(arg0, bse=10)", "3:10: `mag`: has no parameter `bse`: it has `base`\n"},
      {"min(arg0, x=10)", "3:10: `min`: has no parameter `x`: leave the name out\n"},
      {"mag()", "3:10: `mag`: takes 1 or 2 values, not 0\n"},
      {"abs(1, 2)", "3:10: `abs`: takes 1 values, not 2\n"},
      {"min(1)", "3:10: `min`: takes 2 values, not 1\n"},
  };
  for (const auto& [expression, fault] : cases) EXPECT_EQ(faults(expression), fault) << expression;
}

TEST(Fault, ZeroGoesWithEveryUnit) {
  EXPECT_EQ(faults("elapsed > 0"), "");
  EXPECT_EQ(faults("0 == elapsed"), "");
}

TEST(Fault, EveryFaultOfAProbeIsTold) {
  spec::Instrument first = of_type(InstrumentType::counter);
  first.where = text_at("bad1 + bad2", 4, 12);
  first.labels = {{"a", text_at("bad3", 5, 20)}};
  spec::Instrument second = of_type(InstrumentType::gauge, "1 +");
  spec::Instrument third = of_type(InstrumentType::gauge, "arg0");
  const Evaluated evaluated = evaluate(probe_of({first, second, third}));
  ASSERT_EQ(evaluated.faults.size(), 4U);
  EXPECT_THAT(faults_text(evaluated), HasSubstr("4:12: `bad1`"));
  EXPECT_THAT(faults_text(evaluated), HasSubstr("4:19: `bad2`"));
  EXPECT_THAT(faults_text(evaluated), HasSubstr("5:20: `bad3`"));
  EXPECT_THAT(faults_text(evaluated), HasSubstr("3:13: expression: ends too early"));
  EXPECT_EQ(evaluated.faults[0].place.file, "x.yaml");
}

TEST(Fault, AnUnknownColumnStaysUnknown) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("1 + nothing_like_it", 0, 0);
  EXPECT_THAT(faults_text(evaluate(probe_of({counter}))), HasSubstr("0:0: `nothing_like_it`"));
}

std::string of(const spec::Probe& probe) {
  return faults_text(evaluate(probe));
}

TEST(Fault, WhatOnlyTheReturnKnowsIsRefusedAtTheCall) {
  for (const std::string name : {"result", "elapsed"}) {
    spec::Instrument gauge = of_type(InstrumentType::gauge, "1");
    gauge.event = spec::Event::call;
    gauge.where = text_at("arg0 && " + name);
    EXPECT_EQ(of(probe_of({gauge})), "3:18: `" + name + "`: not known at the call: write `event: return`\n");
    gauge.event = spec::Event::end;
    EXPECT_EQ(of(probe_of({gauge})), "");
  }
  spec::Instrument histogram = of_type(InstrumentType::histogram);
  histogram.event = spec::Event::call;
  EXPECT_EQ(of(probe_of({histogram})),
            "1:1: `elapsed`: a histogram without `value` shows it, and it is not known at the call: add `value:`, or "
            "write `event: return`\n");
}

TEST(Fault, ValuesMustSuitTheirInstrument) {
  EXPECT_EQ(of(probe_of({of_type(InstrumentType::gauge)})),
            "1:1: gauge: has no value: add `value:`, or `operation: inc`\n");
  EXPECT_EQ(of(probe_of({of_type(InstrumentType::gauge, "comm")})),
            "3:10: value: a text is no number: make it a label, or use `type: log`\n");
  EXPECT_EQ(of(probe_of({of_type(InstrumentType::counter, "-1")})),
            "3:10: value: a counter never goes down: use a gauge with `operation: dec`\n");
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.where = text_at("comm");
  EXPECT_EQ(of(probe_of({counter})), "3:10: where: a text is no condition: compare it: `comm == \"...\"`\n");
}

TEST(Fault, BucketsMustHaveTheUnitOfTheValue) {
  spec::Instrument histogram = of_type(InstrumentType::histogram, "arg0");
  histogram.buckets = spec::Buckets{{1000}, true, {"x.yaml", 9, 2}};
  EXPECT_EQ(of(probe_of({histogram})),
            "9:2: buckets: the bounds are times, the value is a plain number: write plain numbers\n");
  histogram.value = text_at("elapsed");
  EXPECT_EQ(of(probe_of({histogram})), "");
  histogram.buckets->in_time = false;
  EXPECT_EQ(of(probe_of({histogram})),
            "9:2: buckets: the value is a time, the bounds are plain numbers: write their unit: `10us`\n");
  histogram.buckets = spec::Buckets{std::vector<double>(129, 1.0), true, {"x.yaml", 9, 2}};
  EXPECT_EQ(of(probe_of({histogram})), "9:2: buckets: more than 128: use fewer\n");
}

TEST(Fault, AKeyTooLongForTheKernelIsAFaultOnlyIfTheKernelWasAskedFor) {
  spec::Instrument counter = of_type(InstrumentType::counter);
  counter.labels = {{"a", text_at("str(arg0, 127)", 7, 5)}, {"b", text_at("arg1")}};
  spec::Probe probe = probe_of({counter});
  EXPECT_EQ(of(probe), "");
  probe.aggregate = spec::Aggregate::kernel;
  EXPECT_EQ(of(probe),
            "7:5: labels: they take 136 bytes, and the kernel folds at most 128: shorten texts with `str(x, "
            "n)`, or use `aggregate: events`\n");
}

TEST(Fault, ALogHasAtMostSixtyFourNullableFields) {
  spec::Instrument log = of_type(InstrumentType::log);
  log.message.emplace();
  for (int i = 0; i < 65; ++i) log.message->expressions.push_back(text_at("arg0 / arg1"));
  EXPECT_EQ(of(probe_of({log})), "1:1: message: more than 64 expressions that may be null: use fewer\n");
}

TEST(Fault, WhatIsTooLargeForOneFunctionIsTold) {
  spec::Instrument log = of_type(InstrumentType::log);
  log.message.emplace();
  std::string expression = "mag(arg0,3)";
  while (expression.size() < 1000) expression += "+mag(arg1,3)";
  for (int i = 0; i < 16; ++i) log.message->expressions.push_back(text_at(expression));
  EXPECT_EQ(of(probe_of({log})),
            "1:1: instrument: its expressions are too large for one BPF function: simplify them, or split them over "
            "several instruments\n");
}

TEST(Fault, LengthAndDepthAreBounded) {
  EXPECT_EQ(faults(std::string(1025, '1')),
            "3:10: expression: longer than 1024 characters: shorten it, or split it over several instruments\n");
  const auto nested = [](const std::string& open, const std::string& close, std::size_t count) {
    std::string text = "arg0";
    for (std::size_t i = 0; i < count; ++i) text = open + text + close;
    return text;
  };
  EXPECT_EQ(faults(nested("(", ")", 31)), "");
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{
           {"(", ")"}, {"-", ""}, {"(int)", ""}, {"1?", ":2"}, {"abs(", ")"}, {"((int*)arg0)[", "]"}}) {
    const std::string deep = nested(open + " ", close, 60);
    EXPECT_THAT(faults(deep), HasSubstr("nested deeper than 32 levels: simplify it")) << open;
  }
  EXPECT_THAT(faults(std::string(10'000, '(')), HasSubstr("longer than 1024"));
  EXPECT_THAT(faults(std::string(1024, '(')), HasSubstr("nested deeper"));
  EXPECT_THAT(faults(std::string(1024, '~')), HasSubstr("nested deeper"));
}

TEST(Fault, LongChainsAreNotDeep) {
  std::string sum = "arg0";
  while (sum.size() < 1000) sum += "+arg1";
  const Evaluated evaluated = evaluate(probe_of({of_type(InstrumentType::gauge, sum)}));
  ASSERT_EQ(faults_text(evaluated), "");
  Stopped stopped;
  stopped.arguments(3, 2);
  EXPECT_EQ(stopped.run(evaluated.probe.instruments[0].evaluate), 1U);
  EXPECT_EQ(stopped.value(), static_cast<std::int64_t>(3 + 2 * ((sum.size() - 4) / 5)));
  EXPECT_EQ(stopped.stack_used, 0U);
  EXPECT_EQ(stopped.error, "");
}

// Whatever is written: a fault, or functions that the machine accepts.
void compiles_or_faults(const std::string& expression) {
  spec::Instrument log = of_type(InstrumentType::log, expression);
  log.where = text_at(expression);
  log.labels = {{"l", text_at(expression)}};
  log.message = spec::Message{{"", ""}, {text_at(expression)}};
  spec::Instrument histogram = of_type(InstrumentType::histogram, expression);
  histogram.where = text_at(expression);
  for (const spec::Instrument& instrument : {log, histogram}) {
    const Evaluated evaluated = evaluate(probe_of({instrument}));
    for (const spec::Fault& fault : evaluated.faults) {
      ASSERT_FALSE(fault.what.empty() || fault.why.empty()) << expression;
      ASSERT_LE(fault.place.column, 10 + static_cast<int>(expression.size())) << expression;
    }
    if (!evaluated.faults.empty()) continue;
    const Evaluation& evaluation = evaluated.probe.instruments[0];
    Stopped stopped;
    stopped.arguments(0x1234, 77, static_cast<std::uint64_t>(-5));
    if (!evaluation.fold) {
      stopped.run(evaluation.admit, 0);
      ASSERT_EQ(stopped.error, "") << expression;
    }
    stopped.run(evaluation.evaluate, evaluation.fold ? sizeof(evaluation) : evaluation.payload.size);
    ASSERT_EQ(stopped.error, "") << expression << "\n" << listing(evaluation.evaluate.instructions);
    ASSERT_LE(stopped.stack_used, 200U);
  }
}

TEST(Fault, JunkBytesNeverCrash) {
  std::mt19937 random(1);
  for (int i = 0; i < 5'000; ++i) {
    std::string junk(random() % 40, ' ');
    for (char& c : junk) c = static_cast<char>(random());
    compiles_or_faults(junk);
  }
}

TEST(Fault, TokenSoupNeverCrashes) {
  const std::vector<std::string> tokens = {
      "arg0", "arg1", "arg5",  "result", "elapsed", "start",   "now",    "pid",     "tid",   "uid",  "comm",
      "cpu",  "true", "null",  "1",      "0",       "10ms",    "0xff",   "'a'",     "\"s\"", "(",    ")",
      "(",    ")",    "[",     "]",      "+",       "-",       "*",      "/",       "%",     "<<",   ">>",
      "&",    "|",    "^",     "~",      "!",       "==",      "!=",     "<",       ">=",    "&&",   "||",
      "?",    ":",    "(int)", "(u8)",   "(u64)",   "(char*)", "(int*)", "*(u32*)", "str(",  "mag(", "min(",
      "abs(", ",",    ".",     "->",     "base=",   "(void*)", "(bool)"};
  std::mt19937 random(2);
  for (int i = 0; i < 15'000; ++i) {
    std::string soup;
    for (std::size_t count = 1 + random() % 12; count > 0; --count) soup += tokens[random() % tokens.size()] + " ";
    compiles_or_faults(soup);
  }
}

// Soup that follows the grammar, so that most of it compiles.
class Grammar {
 public:
  std::string expression(int depth) {
    if (depth == 0)
      return pick({"arg0", "arg1", "arg2", "result", "elapsed", "now", "start", "pid", "uid", "cpu", "7", "0", "1ms",
                   "null", "true", "comm", "str(arg0)", "0x7fffffffffffffff", "-1"});
    const std::string a = expression(depth - 1);
    const std::string b = expression(depth - 1);
    switch (random_() % 8) {
      case 0:
        return pick({"-", "!", "~", "(int)", "(u8)", "(s64)", "(bool)", "(u64)"}) + "(" + a + ")";
      case 1:
        return "(" + a + " ? " + b + " : " + expression(depth - 1) + ")";
      case 2:
        return pick({"min", "max"}) + "(" + a + ", " + b + ")";
      case 3:
        return pick({"mag", "abs"}) + "(" + a + ")";
      case 4:
        return "*(" + pick({"u8", "int", "u64", "bool"}) + "*)(" + a + ")";
      default:
        return "(" + a + pick({"+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "==", "<", ">=", "&&", "||"}) + b +
               ")";
    }
  }

 private:
  std::string pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }
  std::mt19937 random_{3};
};

TEST(Fault, WellFormedNonsenseCompilesOrIsAFault) {
  Grammar grammar;
  for (int i = 0; i < 3'000; ++i) compiles_or_faults(grammar.expression(1 + i % 5));
}

}  // namespace
}  // namespace diagnose::compile
