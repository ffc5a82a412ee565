// What `status` shows and a restart reads: Probe::written.
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "reading.h"

namespace diagnose::spec {
namespace {

using ::testing::IsEmpty;

// A probe's meaning as text: everything but the places.
std::string meaning(const Probe& probe) {
  std::ostringstream out;
  const auto optional = [](const std::optional<Text>& text) { return text ? "=" + text->text : std::string("-"); };
  const auto bounds = [&](const Buckets& buckets) {
    out << " buckets" << buckets.in_time;
    for (const double bound : buckets.bounds) out << " " << bound;
  };
  out << probe.id << "|" << static_cast<int>(probe.target.by) << "|" << probe.target.text() << "|"
      << probe.target.pattern << "|" << probe.target.module << "|" << probe.target.build_id << "|"
      << probe.target.function.text << "\n";
  for (const Instrument& one : probe.instruments) {
    out << static_cast<int>(one.type) << "|" << one.name.text << "|" << (one.event ? static_cast<int>(*one.event) : -1)
        << "|" << optional(one.value) << "|" << optional(one.where) << "|" << static_cast<int>(one.operation) << "|"
        << one.sample_every << "|" << one.unit << "|" << one.help << "|" << one.max_chars;
    for (const Label& label : one.labels) out << " " << label.name << "=" << label.expression.text;
    if (one.buckets) bounds(*one.buckets);
    if (one.message) {
      for (const std::string& text : one.message->texts) out << " <" << text << ">";
      for (const Text& expression : one.message->expressions) out << " {" << expression.text << "}";
    }
    out << "\n";
  }
  out << lifespan::text(probe.lifespan) << "|" << lifespan::rfc3339(probe.lastmodified) << "|" << probe.limits.series
      << "|" << probe.limits.string_bytes << "|" << static_cast<int>(probe.return_strategy) << "|"
      << static_cast<int>(probe.aggregate) << "|" << probe.enabled << "|" << probe.custom.dump();
  return out.str();
}

void expect_reads_back(const Probe& probe) {
  const nlohmann::json kept{{"probes", {{probe.id, probe.written}}}};
  const Document again = read_text(kept.dump());
  ASSERT_THAT(fault_texts(again), IsEmpty()) << kept.dump();
  ASSERT_EQ(again.probes.size(), 1U);
  EXPECT_EQ(meaning(again.probes[0]), meaning(probe));
  EXPECT_EQ(again.probes[0].written, probe.written);
}

TEST(Persistence, AProbeWithEveryKeyReadsBackAsItself) {
  expect_reads_back(probe_of(R"yaml(probes:
  every.key:
    target: {pid: [0x10, 7], module: libc.so.6, function: "f(int, char const*)", build_id: 00ff}
    instruments:
      - {type: hist, name: a.b, value: 0x1F, where: 0123, event: end, labels: {z: 1.50, a: "true", m: null},
         buckets: {explicit: [0, 1.50ms, 2s]}, sample: 1/7, unit: bytes, help: "two\nlines \"quoted\" \\ é \x7f \e tab\t"}
      - {type: gauge, name: g, operation: min, value: 99999999999999999999}
      - type: log
        max_chars: 0x50
        message: |
          took {elapsed}
          {{and}} {arg0}
    lifespan: 2h or 500 hits
    lastmodified: 2026-11-19T12:00:00Z
    limits: {series: 0x10, string: 64}
    return: sites
    aggregate: kernel
    enabled: False
    custom: {n: 1.10, h: 0x10, s: "5", t: 'true', z: ~, big: 18446744073709551615, bigger: 99999999999999999999, inf: .inf,
             list: [1, [2]], tags: {x: 1}, "odd: key": 1, "": 2, 5: 6}
    applied: {x: y}
)yaml"));
}

TEST(Persistence, ShortAndOlderFormsReadBackAsThemselves) {
  expect_reads_back(probe_of(with_target("'/usr/bin/x:ns::f'")));
  expect_reads_back(probe_of(with_instrument("{type: incr, name: n, internal: true}")));
  expect_reads_back(probe_of(with_keys("lifespan: 5")));
  expect_reads_back(probe_of("probes: {123: {target: 'm:f', instrument: {type: counter, name: n}}}"));
}

TEST(Persistence, ShippedSpecsReadBackAsThemselves) {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(TEST_SOURCE_DIR) / ".." / "specs")) {
    if (entry.path().extension() != ".yaml") continue;
    for (Probe probe : read_file(entry.path()).probes) {
      probe.lastmodified =
          lifespan::parse_rfc3339("2026-11-20T12:00:00Z").value();  // the file's time is not in `written`
      expect_reads_back(probe);
    }
  }
}

TEST(Persistence, ScalarsAreTypedByTheCoreSchema) {
  const Probe probe =
      probe_of(with_keys("custom: {a: 1, b: -2, c: 0o17, d: 0xff, e: 1.5, f: .5e1, g: true, h: FALSE, i: null, j: "
                         "~, k: '1', l: yes, m: 1_000, n: 1e999, "
                         "o: 0b1, p: +3, q: '', r: 1., s: ., t: e1, u: -}"));
  EXPECT_EQ(probe.custom,
            nlohmann::json::parse(R"({"a": 1, "b": -2, "c": 15, "d": 255, "e": 1.5, "f": 5.0, "g": true, "h": false,
      "i": null, "j": null, "k": "1", "l": "yes", "m": "1_000", "n": "1e999", "o": "0b1", "p": 3, "q": "", "r": 1.0, "s": ".", "t": "e1",
      "u": "-"})"));
}

}  // namespace
}  // namespace diagnose::spec
