// What a spec file can do to its reader.
#include <gmock/gmock.h>
#include <random>

#include "reading.h"
#include "spec/utf8.h"
#include "spec/yaml.h"

namespace diagnose::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(Hostile, DeepNestingOfEveryKindIsRefusedWithoutDeepRecursion) {
  const std::vector<std::string> kinds{
      "[", "{a: ", "- ", "? ", "{? ", "[a: ", "[? ", "{[", "&a [", "!!seq [", "{\"a\":", "[\n"};
  for (const std::string& kind : kinds) {
    EXPECT_THAT(faults_of(repeated(kind, 100'000)),
                ElementsAre(HasSubstr(kind == "!!seq [" ? "YAML tag" : "nested too deep")))
        << kind;
  }
  std::string stairs;
  std::string rungs;
  for (std::size_t i = 0; i < 1'000; ++i) {
    stairs += std::string(i, ' ') + "a:\n";
    rungs += std::string(i, ' ') + "-\n";
  }
  EXPECT_THAT(faults_of(stairs), ElementsAre(HasSubstr("nested too deep")));
  EXPECT_THAT(faults_of(rungs), ElementsAre(HasSubstr("nested too deep")));
}

TEST(Hostile, TheDepthBoundIsExact) {
  const std::size_t outer = 3;  // the file, `probes`, the probe; then `custom`
  const auto nested = [&](std::size_t depth) {
    return with_keys("custom: {a: " + repeated("[", depth) + "1" + repeated("]", depth) + "}");
  };
  EXPECT_THAT(faults_of(nested(limits::yaml_depth - outer - 1)), IsEmpty());
  EXPECT_THAT(faults_of(nested(limits::yaml_depth - outer)), ElementsAre(HasSubstr("nested too deep")));
}

TEST(Hostile, AliasesDoNotDigDeeperThanTheBound) {
  std::string text = "a0: &a0 [[[[[[[[[[1]]]]]]]]]]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string now = std::to_string(i);
    text += "a" + now + ": &a" + now + " [[[[[[[[[[*a" + std::to_string(i - 1) + "]]]]]]]]]]\n";
  }
  EXPECT_THAT(faults_of(text), ElementsAre(HasSubstr("nested too deep")));
}

TEST(Hostile, AYamlBombIsRefusedByItsSizeAfterExpansion) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    const std::string now = "a" + std::to_string(i);
    bomb += now + ": &" + now + " [" + below + repeated(", " + below, 8) + "]\n";
  }
  EXPECT_THAT(faults_of(bomb), ElementsAre(HasSubstr("too much YAML: more than 100000 values, aliases followed")));
}

TEST(Hostile, AnAliasInItsOwnAnchorHasNoEndAndIsRefused) {
  EXPECT_THAT(faults_of("a: &a [*a]\n"), ElementsAre(HasSubstr("t.yaml:1:8: an alias inside its own anchor")));
  EXPECT_THAT(faults_of("a: &a {b: *a}\n"), ElementsAre(HasSubstr("an alias inside its own anchor")));
}

TEST(Hostile, ManyPlainNodesAreRefused) {
  EXPECT_THAT(faults_of(repeated("- a\n", 100'001)), ElementsAre(HasSubstr("too much YAML")));
  EXPECT_THAT(faults_of("[" + repeated("1,", 200'000) + "]"), ElementsAre(HasSubstr("too much YAML")));
}

TEST(Hostile, AProbeThatGrowsTooLargeByItsAliasesIsAFaultOfThatProbe) {
  const Document document = read_text(R"(probes:
  big:
    target: "m:f"
    instrument: {type: counter, name: n}
    custom:
      a: &a ")" + std::string(100'000, 'x') +
                                      R"("
      b: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
  small: {target: "m:f", instrument: {type: counter, name: n}}
)");
  EXPECT_THAT(
      fault_texts(document),
      ElementsAre(
          "t.yaml:2:3: the probe `big`: too large with its aliases followed: shorten `custom`, or use fewer aliases"));
  ASSERT_EQ(document.probes.size(), 1U);
  EXPECT_EQ(document.probes[0].id, "small");
}

TEST(Hostile, ATextOverTheBoundIsRefusedBeforeItIsParsed) {
  EXPECT_THAT(faults_of(std::string(limits::spec_file_bytes + 1, '[')),
              ElementsAre("t.yaml: too large: 1048577 bytes, at most 1048576 are read: split the file"));
  EXPECT_THAT(faults_of(std::string(limits::spec_file_bytes, '#')), IsEmpty());
}

TEST(Hostile, BinaryJunkIsRefusedAtItsFirstByteThatIsNoText) {
  EXPECT_THAT(
      faults_of(std::string("probes:\n  a\0b", 12)),
      ElementsAre(
          "t.yaml:2:4: not text: byte 0x00 is not UTF-8 text: a spec is YAML in UTF-8: is this the right file?"));
  EXPECT_THAT(faults_of("\x7f"
                        "ELF\x02\x01\x01"),
              ElementsAre(HasSubstr("t.yaml:1:5: not text: byte 0x02")));
  EXPECT_THAT(faults_of("probes: \xff"), ElementsAre(HasSubstr("t.yaml:1:9: not text: byte 0xff")));
  EXPECT_THAT(faults_of("probes: \x04"), ElementsAre(HasSubstr("byte 0x04")));  // the parser's own end mark
  EXPECT_THAT(faults_of("\xff\xfe"
                        "p\0r\0"),
              ElementsAre(HasSubstr("byte 0xff")));  // UTF-16
  EXPECT_THAT(faults_of("a: \"\\0\""), ElementsAre(HasSubstr("t.yaml:1:4: a NUL character")));
}

TEST(Hostile, Utf8IsCheckedByTheTableOfTheStandard) {
  for (const std::string_view good :
       {"", "abc\t\r\n", "\u00e9", "\u20ac", "\U0001f600", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(first_not_text(good), std::nullopt) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xe2\x82", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x1b", "\xe2\x28\xa1"}) {
    EXPECT_EQ(first_not_text("ab" + std::string(bad)), 2U);
  }
  EXPECT_EQ(prefix("ab\u00e9", 3), "ab");
  EXPECT_EQ(prefix("ab\u00e9", 4), "ab\u00e9");
}

TEST(Hostile, AByteOrderMarkAndCarriageReturnsAreNoColumns) {
  EXPECT_THAT(faults_of("\xef\xbb\xbfprobe: 1\r\n"),
              ElementsAre(HasSubstr("t.yaml:1:1: unknown key `probe`"), HasSubstr("`probes:` is missing")));
  EXPECT_THAT(faults_of("probes:\r\n  A:\r\n    target: 'm:f'\r\n    instrument: {type: log, value: 1}\r\n"),
              ElementsAre(HasSubstr("t.yaml:2:3: the probe id `A`")));
}

TEST(Hostile, BrokenYamlIsOneFaultWithAPlaceAndAMend) {
  for (const std::string text :
       {"probes: [", "probes: {", "a: b: c", "\"", "'", "a: &", "a: *", "@", "`", "\t- a", "- a\nb", "{a, b: ]",
        "a: |9x\n b", "%YAML 9.9\n---\na", "a: \"\\q\"", "a: \"\\ud800\"", "? a\n? b\n: :", "a: !<x"}) {
    const Document document = read_text(text);
    ASSERT_FALSE(document.faults.empty()) << text;
    EXPECT_GT(document.faults[0].place.line, 0) << text;
    EXPECT_FALSE(document.faults[0].mend.empty()) << text;
    EXPECT_THAT(document.probes, IsEmpty()) << text;
  }
}

TEST(Hostile, AnExpressionThatYamlTakesForItsOwnIsTold) {
  EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, where: *arg0}")),
              ElementsAre(HasSubstr("put quotes around an expression that begins with `*`")));
  EXPECT_THAT(faults_of(with_instrument("{type: counter, name: n, where: !arg0 }")),
              ElementsAre(HasSubstr("the YAML tag `!arg0`: specs have no tags: put quotes around")));
  EXPECT_THAT(faults_of("a: 1\n---\nb: 1\n"), ElementsAre(HasSubstr("a second YAML document")));
}

TEST(Hostile, MessagesAreShortAndPrintableWhateverTheInput) {
  const std::string longest(100'000, 'x');
  for (const std::string& text :
       {with_target("{" + longest + ": 1, pid: 1, function: f}"), with_target("{pid: " + longest + ", function: f}"),
        with_target(longest), with_target("{exe: \"" + longest + "\", function: f}"),
        with_instrument("{type: " + longest + ", name: n}"), with_keys("lifespan: " + longest),
        with_keys("lastmodified: " + longest), with_keys("lifespan: \"\\x1b\""),
        with_keys("lifespan: " + std::string(59, 'x') + "\u00e9"), std::string("a: \"\\\u00e9\""),
        "probes: {\"" + longest + "\\x1b[31m\": 1}", with_target("{pid: \"\\x1b[31m\", function: f}"),
        with_instrument("{type: counter, name: \"\\x1b\\u009b\"}"), with_keys("custom: {tags: {\"\\x1b\": a}}")}) {
    const Document document = read_text(text);
    ASSERT_FALSE(document.faults.empty());
    for (const Fault& fault : document.faults) {
      EXPECT_LT(fault.text().size(), 700U);
      EXPECT_EQ(first_not_text(fault.text()), std::nullopt) << fault.text();
      for (const char letter : fault.text()) EXPECT_GE(static_cast<unsigned char>(letter), 0x20U) << fault.text();
    }
  }
}

TEST(Hostile, RandomEditsOfAGoodSpecNeverHurtTheReader) {
  const std::string good =
      "probes:\n  a-b:\n    target: {exe: \"/x\", function: 'f::g'}\n    instruments:\n    - &i {type: log, message: "
      "\"a {b} {{c}}\", sample: 1/5}\n"
      "    - {type: hist, name: a.b, buckets: {exponential: {start: 1us, factor: 2, count: 24}}, labels: {k: arg0}}\n  "
      "  - *i\n"
      "    lifespan: 10m or 5 hits\n    limits: {series: 5, string: 64}\n    custom: {tags: {x: 1}}\n";
  ASSERT_THAT(faults_of(good), IsEmpty());
  std::mt19937 random(20261120);  // NOLINT: the same edits in every run
  const std::string_view letters = "\n\n  :-{}[]\"'&*!|>%#?,a1~\\\t\x01\x80";
  for (int round = 0; round < 5'000; ++round) {
    std::string text = good;
    const auto edits = 1 + random() % 4;
    for (unsigned long edit = 0; edit < edits; ++edit) {
      const std::size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, 1 + random() % 8);
      } else if (random() % 2 == 0) {
        text[at] = letters[random() % letters.size()];
      } else {
        text.insert(at, 1, letters[random() % letters.size()]);
      }
    }
    const Document document = read_text(text);
    for (const Fault& fault : document.faults) {
      EXPECT_GT(fault.place.line, 0) << text;
      EXPECT_FALSE(fault.what.empty() || fault.why.empty() || fault.mend.empty()) << text << fault.text();
    }
  }
}

}  // namespace
}  // namespace diagnose::spec
