#include "spec/read.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reading.h"

namespace diagnose::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Read, TheContractsExampleIsReadWhole) {
  const Probe probe = probe_of(R"(probes:
  checkout-latency:
    target:
      exe: /usr/bin/checkoutd                 # which processes
      function: "shop::Cart::checkout"        # which place
    instrument:
      type: histogram
      name: shop.checkout
      value: elapsed
      where: items > 0
      labels: {region: this->region, ok: result == 0}
    lifespan: 10
    lastmodified: 2026-11-21T12:00:00Z
)");
  EXPECT_EQ(probe.id, "checkout-latency");
  EXPECT_EQ(probe.place.text(), "t.yaml:2:3");
  EXPECT_EQ(probe.target.by, TargetBy::exe);
  EXPECT_EQ(probe.target.pattern, "/usr/bin/checkoutd");
  EXPECT_EQ(probe.target.module, "");
  EXPECT_EQ(probe.target.function.text, "shop::Cart::checkout");
  EXPECT_EQ(probe.target.function.place.text(), "t.yaml:5:18");  // inside the quotes
  ASSERT_EQ(probe.instruments.size(), 1U);
  const Instrument& instrument = probe.instruments[0];
  EXPECT_EQ(instrument.type, InstrumentType::histogram);
  EXPECT_EQ(instrument.name.text, "shop_checkout");
  EXPECT_EQ(instrument.value->text, "elapsed");
  EXPECT_EQ(instrument.value->place.text(), "t.yaml:9:14");
  EXPECT_EQ(instrument.where->text, "items > 0");
  ASSERT_EQ(instrument.labels.size(), 2U);
  EXPECT_EQ(instrument.labels[0].name, "ok");
  EXPECT_EQ(instrument.labels[0].expression.text, "result == 0");
  EXPECT_EQ(instrument.labels[1].name, "region");
  EXPECT_EQ(instrument.labels[1].expression.text, "this->region");
  EXPECT_EQ(instrument.labels[1].expression.place.text(), "t.yaml:11:24");
  EXPECT_FALSE(instrument.event);
  EXPECT_EQ(lifespan::text(probe.lifespan), "10m");
  EXPECT_EQ(lifespan::rfc3339(probe.lastmodified), "2026-11-21T12:00:00Z");
  EXPECT_EQ(probe.written["instrument"]["labels"]["ok"], "result == 0");
  EXPECT_EQ(probe.written["lifespan"], 10);
}

TEST(Read, WhatIsLeftOutHasItsDefault) {
  const Probe probe = probe_of(with_instrument("{type: counter, name: n}"));
  EXPECT_EQ(lifespan::text(probe.lifespan), "10m");
  EXPECT_EQ(lifespan::rfc3339(probe.lastmodified), "2026-11-20T12:00:00Z");
  EXPECT_TRUE(probe.enabled);
  EXPECT_EQ(probe.return_strategy, ReturnStrategy::automatic);
  EXPECT_EQ(probe.aggregate, Aggregate::automatic);
  EXPECT_EQ(probe.limits.series, limits::series_per_instrument);
  EXPECT_FALSE(probe.limits.overhead);
  EXPECT_EQ(probe.custom, nlohmann::json::object());
  EXPECT_EQ(probe.instruments[0].sample_every, 1U);
  EXPECT_FALSE(probe.instruments[0].value);
}

TEST(Read, ThreeFaultsAreThreeMessagesWithPlaceAndMendAndTheGoodProbeIsKept) {
  const Document document = read_text(R"(probes:
  bad:
    target:
      exe: /usr/bin/checkoutd
      funktion: checkout
    instrument:
      type: histogramm
      name: shop.checkout
      lable: {region: arg0}
  good:
    target: /usr/bin/checkoutd:checkout
    instrument: {type: counter, name: calls}
)");
  EXPECT_THAT(fault_texts(document),
              ElementsAre("t.yaml:4:7: `function` is missing: the target names no place: add `function: name`",
                          "t.yaml:5:7: unknown key `funktion`: a target has no such key: did you mean `function`?",
                          "t.yaml:7:13: `type: histogramm`: no such type: did you mean `histogram`?",
                          "t.yaml:9:7: unknown key `lable`: an instrument has no such key: did you mean `labels`?"));
  ASSERT_EQ(document.probes.size(), 1U);
  EXPECT_EQ(document.probes[0].id, "good");
  EXPECT_THAT(document.faulty, ElementsAre("bad"));
}

TEST(Read, FaultsOfSeveralProbesComeInTheOrderOfTheFile) {
  const Document document = read_text(R"(probes:
  a: {target: m, instrument: {type: counter, name: n}, lifespan: never}
  b: {instrument: {type: log, message: "{"}, enabled: yes}
prober: 1
)");
  EXPECT_THAT(
      fault_texts(document),
      ElementsAre("t.yaml:2:15: `target: m`: has no module and function: write `MODULE:FUNCTION`, as in "
                  "`/usr/bin/redis-server:processCommand`",
                  "t.yaml:2:66: lifespan `never`: `never` does not begin with a number: write `10` (minutes), `90s`, "
                  "`10m`, `2h`, `7d`, `500 hits`, `10m or 500 hits` or `forever`",
                  "t.yaml:3:3: `target` is missing: the probe `b` says nothing to watch: add `target: {exe: "
                  "/path/of/program, function: name}`",
                  "t.yaml:3:41: `{` in the message: the expression behind it is never closed: close it with `}`, or "
                  "write `{{` for a brace as text",
                  "t.yaml:3:55: `enabled: yes`: must be true or false: write `enabled: true` or `enabled: false`",
                  "t.yaml:4:1: unknown key `prober`: a spec file has no such key: did you mean `probes`?"));
  EXPECT_THAT(document.faulty, ElementsAre("a", "b"));
}

TEST(Read, AFaultConvertsToAnErrorWithItsPlace) {
  const Fault fault{.place = {"f.yaml", 3, 4}, .what = "what", .why = "why", .mend = "mend"};
  EXPECT_EQ(fault.error(), (Error{.what = "what", .where = "f.yaml:3:4", .why = "why", .mend = "mend"}));
  EXPECT_EQ((Place{"f.yaml", 0, 0}).text(), "f.yaml");
}

TEST(Read, EmptyFilesHoldNoProbesAndNoFault) {
  for (const std::string text :
       {"", "\n\n", "# nothing yet\n", "---\n", "---\n...\n", "probes:\n", "probes: {}\n", "~"}) {
    const Document document = read_text(text);
    EXPECT_THAT(fault_texts(document), IsEmpty()) << text;
    EXPECT_TRUE(document.probes.empty());
  }
}

TEST(Read, ATopLevelWithoutProbesIsAFault) {
  EXPECT_THAT(faults_of("{}"), ElementsAre(HasSubstr("`probes:` is missing")));
  EXPECT_THAT(faults_of("target: m:f\n"),
              ElementsAre(HasSubstr("unknown key `target`"), HasSubstr("`probes:` is missing")));
  EXPECT_THAT(faults_of("- a\n"),
              ElementsAre("t.yaml:1:1: the file: must be a mapping, not a list: begin it with `probes:`"));
  EXPECT_THAT(faults_of("hello"),
              ElementsAre("t.yaml:1:1: the file: must be a mapping, not text: begin it with `probes:`"));
  EXPECT_THAT(faults_of("probes: [a]"), ElementsAre(HasSubstr("must be a mapping of ids, not a list")));
  EXPECT_THAT(faults_of("probes: {a: {}}"),
              ElementsAre(HasSubstr("`target` is missing"), HasSubstr("`instrument` is missing")));
  EXPECT_THAT(faults_of("probes: {a: }"), ElementsAre(HasSubstr("a probe: must be a mapping, not nothing")));
  EXPECT_THAT(faults_of("probes: {[a]: 1}"),
              ElementsAre(HasSubstr("a probe's id: must be text"), HasSubstr("a probe: must be a mapping")));
  EXPECT_THAT(faults_of("[a]: 1"),
              ElementsAre(HasSubstr("a key: must be text, not a list"), HasSubstr("`probes:` is missing")));
}

TEST(Read, IdsAreCheckedAndMayNotRepeat) {
  for (const std::string& id : std::vector<std::string>{"a", "0", "a.b-c_d", std::string(64, 'x')}) {
    EXPECT_THAT(faults_of("probes: {" + id + ": {target: 'm:f', instrument: {type: counter, name: n}}}"), IsEmpty())
        << id;
  }
  for (const std::string& id :
       std::vector<std::string>{"A", "-a", ".a", "a b", "'a/b'", "''", std::string(65, 'x'), "\u00e9"}) {
    EXPECT_THAT(faults_of("probes: {" + id + ": {target: 'm:f', instrument: {type: counter, name: n}}}"),
                ElementsAre(HasSubstr("the probe id")))
        << id;
  }
  const Document document = read_text(R"(probes:
  a: {target: "m:f", instrument: {type: counter, name: n}}
  b: {target: "m:f", instrument: {type: counter, name: n}}
  a: {target: "m:g", instrument: {type: counter, name: n}}
)");
  EXPECT_THAT(fault_texts(document),
              ElementsAre("t.yaml:4:3: the probe id `a`: stands twice in this file: rename one of the two"));
  ASSERT_EQ(document.probes.size(), 1U);
  EXPECT_EQ(document.probes[0].id, "b");
  EXPECT_THAT(document.faulty, ElementsAre("a"));
  EXPECT_THAT(faults_of("probes: {}\nprobes: {}\n"), ElementsAre(HasSubstr("`probes:`: stands twice")));
}

TEST(Read, AKeyTwiceInOneMappingIsAFaultAnywhere) {
  expect_fault(with_instrument("{type: counter, name: n, name: m}"),
               "the key `name`: stands twice in one mapping: remove one");
  expect_fault(with_keys("lifespan: 5, lifespan: 6"), "the key `lifespan`: stands twice in one mapping: remove one");
  expect_fault(with_keys("custom: {x: [{a: 1, a: 2}]}"), "the key `a`: stands twice in one mapping: remove one");
  expect_fault(with_keys("custom: {x: {[a]: 1}}"), "a key: must be text, not a list: write `key: value`");
}

TEST(Read, WordsOfLaterVersionsAreNotUnknown) {
  expect_fault(with_keys("sinks: [journal]"),
               "`sinks`: not in this version: leave it out: records go to those who follow with `diagnosectl events`");
  for (const std::string word : {"unit: x.service", "cgroup: /x", "container: abc"}) {
    EXPECT_THAT(faults_of(with_target("{" + word + ", function: f}")),
                ElementsAre(HasSubstr("not in this version: use `")));
  }
  for (const std::string type : {"summary", "info", "enum", "trace"}) {
    EXPECT_THAT(faults_of(with_instrument("{type: " + type + ", name: n}")),
                ElementsAre(HasSubstr("`type: " + type + "`: not in this version: use")));
  }
  expect_fault(with_instrument("{type: histogram, name: n, buckets: {log: 3}}"),
               "`log`: not in this version: use `exponential: {start: 1us, factor: 2, count: 24}`");
}

TEST(Read, TheOlderDictionaryFormIsRead) {
  const Probe probe = probe_of(R"({"probes": {"old": {
      "target": "/usr/lib/libshop.so:shop::f",
      "instrument": {"type": "hist", "name": "shop.f", "internal": true, "value": "elapsed"},
      "lifespan": 5, "applied": {"host:1:2": {"lm": 1}}}}})");
  EXPECT_EQ(probe.instruments[0].type, InstrumentType::histogram);
  EXPECT_EQ(probe.instruments[0].event, Event::end);
  EXPECT_EQ(probe.target.by, TargetBy::all);
  EXPECT_FALSE(probe.written.contains("applied"));
  EXPECT_EQ(probe_of(with_instrument("{type: incr, name: n, internal: false}")).instruments[0].event, Event::return_);
  EXPECT_EQ(probe_of(with_instrument("{type: count, name: n}")).instruments[0].type, InstrumentType::counter);
  EXPECT_EQ(probe_of(with_keys("applied: null")).id, "p");
  expect_fault(with_instrument("{type: incr, name: n, internal: false, event: call}"),
               "`internal`: `event` says the same: remove `internal`, it is the older form");
}

TEST(Read, TheOtherKeysOfAProbeAreRead) {
  const Probe probe = probe_of(with_keys(
      "limits: {series: 50, string: 64}, return: sites, aggregate: events, "
      "enabled: false, lifespan: 2h or 500 hits, custom: {owner: me, hex: 0x10, half: 0.50, no: null, tags: {team: "
      "shop}}"));
  EXPECT_EQ(probe.limits.series, 50U);
  EXPECT_EQ(probe.limits.string_bytes, 64U);
  EXPECT_EQ(probe.return_strategy, ReturnStrategy::sites);
  EXPECT_EQ(probe.aggregate, Aggregate::events);
  EXPECT_FALSE(probe.enabled);
  EXPECT_EQ(lifespan::text(probe.lifespan), "2h or 500 hits");
  EXPECT_EQ(probe.custom,
            nlohmann::json::parse(R"({"owner": "me", "hex": 16, "half": 0.5, "no": null, "tags": {"team": "shop"}})"));
}

TEST(Read, AnOverheadIsAShareOfOneCore) {
  const std::vector<std::pair<std::string, double>> written{{"5%", 0.05}, {"0.05", 0.05}, {"\"7.5 %\"", 0.075},
                                                            {"50%", 0.5}, {"2", 2},       {"10000%", 100}};
  for (const auto& [text, share] : written) {
    const Probe probe = probe_of(with_keys("limits: {overhead: " + text + "}"));
    ASSERT_TRUE(probe.limits.overhead) << text;
    EXPECT_DOUBLE_EQ(*probe.limits.overhead, share) << text;
  }
}

TEST(Read, RecordsAndFramesHaveLimits) {
  const Probe probe = probe_of(with_keys("limits: {rate: 10000/s, frames: 8}"));
  EXPECT_EQ(probe.limits.records_per_second, 10'000U);
  EXPECT_EQ(probe.limits.frames, 8U);
  EXPECT_EQ(probe_of(with_keys("limits: {rate: 0}")).limits.records_per_second, limits::records_per_second);
}

TEST(Read, WrongKeysOfAProbeAreFaults) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"limits: {rate: 10000}",
       "`rate: 10000`: is no number of records a second, at most 500000: write `rate: 10000/s`"},
      {"limits: {overhead: much}",
       "`overhead: much`: is not a share of a core: write a share of one core: `5%` or `0.05`"},
      {"limits: {overhead: 0%}", "`overhead: 0%`: out of range: write a share of one core: `5%` or `0.05`"},
      {"limits: {overhead: -1}", "`overhead: -1`: out of range: write a share of one core: `5%` or `0.05`"},
      {"limits: {overhead: 1001}", "`overhead: 1001`: out of range: write a share of one core: `5%` or `0.05`"},
      {"limits: {series: 0}", "`series: 0`: out of range: write a whole number, 1 to 100000"},
      {"limits: {string: 257}", "`string: 257`: out of range: write a whole number, 1 to 256"},
      {"limits: {string: 1.5}", "`string: 1.5`: is not a whole number: write a whole number, 1 to 256"},
      {"limits: {serie: 5}", "unknown key `serie`: `limits` has no such key: did you mean `series`?"},
      {"limits: 5",
       "`limits`: must be a mapping, not text: write `key: value` lines; the keys are `series`, `string`, "
       "`overhead`, `rate` or `frames`"},
      {"return: magic", "`return: magic`: no such return: use `auto`, `trampoline`, `callers` or `sites`"},
      {"aggregate: event", "`aggregate: event`: no such aggregate: did you mean `events`?"},
      {"enabled: 'true'", "`enabled: true`: must be true or false: write `enabled: true` or `enabled: false`"},
      {"lastmodified: yesterday",
       "time `yesterday`: it is not an RFC 3339 time: write it as `2026-11-20T12:00:00Z` or "
       "`2026-11-20T13:00:00+01:00`"},
      {"lifespan: [5]", "`lifespan`: must be text, not a list: put quotes around text that begins with `{` or `[`"},
      {"lifespan: ", "`lifespan`: must be text, not nothing: write a value, or leave the key out"},
      {"custom: 5", "`custom`: must be a mapping, not text: write `custom: {owner: me}`"},
      {"custom: {tags: [a]}", "`custom.tags`: must be a mapping, not a list: write `tags: {team: shop}`"},
      {"custom: {tags: {a-b: c}}",
       "the tag `a-b`: its name has letters, digits and `_` only, and begins with no digit: rename it"},
      {"custom: {tags: {le: c}}", "the tag `le`: `probe`, `le` and names that begin with `__` are taken: rename it"},
      {"custom: {tags: {a: c}}", "the tag `a`: an instrument has a label of that name: rename one"},
      {"custom: {tags: {b: [c]}}", "the tag `b`: must be text, not a list: write `b: text`, or move it out of `tags`"},
      {"colour: red",
       "unknown key `colour`: a probe has no such key: use `target`, `instrument`, `instruments`, `lifespan`, "
       "`lastmodified`, `limits`, `return`, `aggregate`, `enabled`, `custom` or `applied`"},
      {"<<: {a: b}",
       "`<<`: merge keys are not part of YAML 1.2: write the keys out, or use an alias for a whole value"},
  };
  for (const auto& [keys, fault] : wrong) expect_fault(with_keys(keys), fault);
}

TEST(Read, AliasesShareWhatTheyNameAndItsFaultsAreToldOnce) {
  const Document document = read_text(R"(probes:
  a:
    target: "m:f"
    instrument: &shared {type: counter, name: n}
  b:
    target: "m:g"
    instrument: *shared
  c: &broken
    target: "m:h"
    instrument: {type: countr, name: n}
  d: *broken
)");
  EXPECT_THAT(fault_texts(document),
              ElementsAre("t.yaml:10:24: `type: countr`: no such type: did you mean `counter`?"));
  ASSERT_EQ(document.probes.size(), 2U);
  EXPECT_EQ(document.probes[1].instruments[0].name.text, "n");
  EXPECT_EQ(document.probes[1].written["instrument"]["name"], "n");
  EXPECT_THAT(document.faulty, ElementsAre("c", "d"));
}

TEST(Read, EveryShippedSpecHasNoFault) {
  const std::filesystem::path folder = std::filesystem::path(TEST_SOURCE_DIR) / ".." / "specs";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    const Document document = read_file(entry.path());
    EXPECT_THAT(fault_texts(document), IsEmpty()) << entry.path();
    EXPECT_FALSE(document.probes.empty()) << entry.path();
    for (const Probe& probe : document.probes) {
      EXPECT_TRUE(probe.written.contains("lifespan")) << probe.id;
      EXPECT_FALSE(probe.lifespan.forever()) << probe.id;
    }
  }
  EXPECT_GE(files, 4U);
}

class ReadFile : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::temp_directory_path() / ("spec_" + std::string(test->name()) + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

TEST_F(ReadFile, TheFilesTimeIsTheDefaultOfLastmodified) {
  const auto path = write("a.yaml", with_instrument("{type: counter, name: n}"));
  const auto before = lifespan::Clock::now() - std::chrono::hours(1);
  Document document = read_file(path);
  ASSERT_EQ(document.probes.size(), 1U);
  EXPECT_GT(document.probes[0].lastmodified, before);
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - std::chrono::hours(48));
  document = read_file(path);
  ASSERT_EQ(document.probes.size(), 1U);
  EXPECT_LT(document.probes[0].lastmodified, before);
}

TEST_F(ReadFile, UnreadableFilesAreOneFault) {
  EXPECT_THAT(
      fault_texts(read_file(folder_ / "none.yaml")),
      ElementsAre((folder_ / "none.yaml").string() + ": cannot open: No such file or directory: check the path"));
  EXPECT_THAT(fault_texts(read_file(folder_)),
              ElementsAre(folder_.string() + ": cannot read: is a directory: name a file"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(fault_texts(read_file(folder_ / "pipe")), ElementsAre(HasSubstr("is not a regular file")));
}

TEST_F(ReadFile, ALargeFileIsRefusedUnread) {
  const auto path = write("large.yaml", "");
  std::filesystem::resize_file(path, 10U << 20U);
  EXPECT_THAT(fault_texts(read_file(path)),
              ElementsAre(path.string() + ": too large: 10485760 bytes, at most 1048576 are read: split the file"));
}

}  // namespace
}  // namespace diagnose::spec
