#include "cli/render.h"

#include <gtest/gtest.h>

#include "cli/text.h"
#include "lifespan/lifespan.h"

namespace diagnose::cli {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

const Style plain{.colour = false, .terminal = false, .width = 60, .rows = 24};

Now noon() {
  return *lifespan::parse_rfc3339("2026-11-20T12:00:00Z");
}

TEST(Quantities, TimesAreShownInTheUnitThatFits) {
  EXPECT_EQ(seconds_text(0), "0s");
  EXPECT_EQ(seconds_text(1e-6), "1us");
  EXPECT_EQ(seconds_text(0.000001 * 1024), "1.024ms");
  EXPECT_EQ(seconds_text(480e-9), "480ns");
  EXPECT_EQ(seconds_text(8.388608), "8.389s");
  EXPECT_EQ(seconds_text(-0.5), "-500ms");
}

TEST(Quantities, CountsStayExactAndBytesAreScaled) {
  EXPECT_EQ(value_text(16'000'000, ""), "16000000");
  EXPECT_EQ(value_text(0.25, ""), "0.25");
  EXPECT_EQ(value_text(512, "bytes"), "512B");
  EXPECT_EQ(value_text(1536, "bytes"), "1.5KiB");
}

TEST(Quantities, RemainingTimeHasTwoPartsAtMost) {
  EXPECT_EQ(remaining_text(598s), "9m 58s");
  EXPECT_EQ(remaining_text(7200s), "2h");
  EXPECT_EQ(remaining_text(7205s), "2h");
  EXPECT_EQ(remaining_text(90'061s), "1d 1h");
  EXPECT_EQ(remaining_text(-5s), "0s");
}

TEST(ForeignText, ControlCharactersCannotReachTheTerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\x7f"), "a\\x1b[2Jb\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable("caf\xc3\xa9"), "caf\xc3\xa9");
  const json event = {{"time", "t"}, {"probe", "p"}, {"comm", "\x1b]0;owned\x07"}, {"pid", 1}, {"value", "\x1b[31m"}};
  EXPECT_EQ(event_text(event, plain).find('\x1b'), std::string::npos);
}

TEST(ReadingText, AHistogramIsDrawnFromItsFirstToItsLastUsedBucket) {
  const json reading = {
      {"families",
       {{{"name", "shop_checkout_seconds"},
         {"unit", "seconds"},
         {"kind", "histogram"},
         {"series",
          {{{"labels", {{"probe", "a"}, {"ok", "1"}}},
            {"sum", 0.0005},
            {"count", 200},
            {"buckets",
             json::array(
                 {{1e-6, 0}, {2e-6, 123}, {4e-6, 123}, {8e-6, 199}, {16e-6, 200}, {32e-6, 200}, {"+Inf", 200}})}}}}}}},
      {"hits", 200},
      {"lost", json::object()}};
  EXPECT_EQ(reading_text(reading, plain),
            "shop_checkout_seconds{ok=\"1\"}\n"
            "  (1us, 2us]   123 |███████████████████████████████████████|\n"
            "  (2us, 4us]     0 |                                       |\n"
            "  (4us, 8us]    76 |████████████████████████▏              |\n"
            "  (8us, 16us]    1 |▍                                      |\n"
            "  count 200  sum 500us  mean 2.5us\n"
            "hits 200\n");
}

TEST(ReadingText, TheEndsOfTheScaleAreOpen) {
  const json series = {
      {"labels", json::object()}, {"sum", -7}, {"count", 3}, {"buckets", json::array({{10, 1}, {"+Inf", 3}})}};
  const json reading = {
      {"families", {{{"name", "x"}, {"unit", ""}, {"kind", "histogram"}, {"series", json::array({series})}}}}};
  const std::string text = reading_text(reading, plain);
  EXPECT_NE(text.find("(-inf, 10]"), std::string::npos) << text;
  EXPECT_NE(text.find("(10, +inf)"), std::string::npos) << text;
}

TEST(ReadingText, CountersAndGaugesAreALineASeries) {
  const json reading = {
      {"families",
       {{{"name", "calls"},
         {"unit", ""},
         {"kind", "counter"},
         {"series", {{{"labels", {{"size", "1"}}}, {"value", 12}}, {{"labels", {{"size", "2"}}}, {"value", 1234}}}}},
        {{"name", "level"},
         {"unit", ""},
         {"kind", "gauge"},
         {"series", {{{"labels", json::object()}, {"value", -3}}}}}}},
      {"hits", 1246},
      {"lost", {{"series", 3}, {"ring_full", 0}}}};
  EXPECT_EQ(reading_text(reading, plain),
            "calls_total{size=\"1\"}    12\n"
            "calls_total{size=\"2\"}  1234\n"
            "level                    -3\n"
            "hits 1246  lost 3 (series 3)\n");
}

json site(const char* address, const char* kind, const char* instruction, const char* cost) {
  return {{"function", "processCommand"},
          {"module", "/usr/bin/redis-server"},
          {"build_id", "ab"},
          {"address", address},
          {"offset", address},
          {"kind", kind},
          {"instruction", instruction},
          {"cost", cost}};
}

TEST(AttachText, SaysWhatWasFoundWhereAndAtWhatPrice) {
  const json attached = {
      {"id", "processcommand-4f1a"},
      {"state", "armed"},
      {"target", "/usr/bin/redis-server:processCommand"},
      {"processes", {812}},
      {"sites", {site("0x4f00", "entry", "push %rbp", "emulated"), site("0x4f90", "exit", "ret", "stepped")}},
      {"return", {{"strategy", "sites"}, {"why", "every exit is probed"}}},
      {"price_ns", 14400},
      {"expires", "2026-11-20T12:10:00Z"},
      {"note", {"inlined copies are not counted"}}};
  EXPECT_EQ(attach_text(attached, plain, noon()),
            "processcommand-4f1a armed\n"
            "  target     /usr/bin/redis-server:processCommand\n"
            "  function   processCommand\n"
            "  module     /usr/bin/redis-server\n"
            "  processes  812\n"
            "  sites      2 breakpoints: 1 emulated, 1 stepped\n"
            "    ADDRESS  KIND   COST      INSTRUCTION\n"
            "     0x4f00  entry  emulated  push %rbp\n"
            "     0x4f90  exit   stepped   ret\n"
            "  return     sites: every exit is probed\n"
            "  cost       about 14.4us each hit\n"
            "  expires    2026-11-20T12:10:00Z (in 10m)\n"
            "  note       inlined copies are not counted\n");
}

TEST(AttachText, ManySitesAreCutAndAPendingProbeHasNone) {
  json many = {{"id", "a"}, {"state", "armed"}, {"processes", {1}}, {"sites", json::array()}, {"expires", nullptr}};
  for (int i = 0; i < 2000; ++i) many["sites"].push_back(site("0x1", "entry", "nop", "emulated"));
  const std::string text = attach_text(many, plain, noon());
  EXPECT_NE(text.find("2000 breakpoints: 2000 emulated"), std::string::npos);
  EXPECT_NE(text.find("and 1988 more"), std::string::npos);
  EXPECT_NE(text.find("expires    never"), std::string::npos);
  const json pending = {{"id", "a"}, {"state", "pending"}, {"processes", json::array()}, {"sites", json::array()}};
  EXPECT_EQ(attach_text(pending, plain, noon()), "a pending\n  processes  none yet\n");
}

TEST(ListText, ColumnsAreAlignedWithAndWithoutColour) {
  const json list = {{"probes",
                      {{{"id", "a"},
                        {"state", "armed"},
                        {"target", "/usr/bin/x:f"},
                        {"hits", 12},
                        {"lost", 0},
                        {"overhead_seconds", 0.0015},
                        {"remaining_seconds", 597.2}},
                       {{"id", "longer-id"},
                        {"state", "tripped"},
                        {"target", "pid 7 g"},
                        {"hits", 123456},
                        {"lost", 3},
                        {"overhead_seconds", 2},
                        {"remaining_seconds", nullptr}}}}};
  EXPECT_EQ(list_text(list, plain),
            "ID         STATE    TARGET          HITS  LOST  OVERHEAD  REMAINING\n"
            "a          armed    /usr/bin/x:f      12     0     1.5ms     9m 58s\n"
            "longer-id  tripped  pid 7 g       123456     3        2s    forever\n");
  Style colour = plain;
  colour.colour = true;
  std::string coloured = list_text(list, colour);
  for (std::size_t at = 0; (at = coloured.find('\x1b')) != std::string::npos;) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, list_text(list, plain));
  EXPECT_EQ(list_text({{"probes", json::array()}}, plain), "no probes\n");
}

TEST(StatusText, TellsLossesErrorsAndTheSpec) {
  const json status = {
      {"id", "a"},
      {"state", "partial"},
      {"spec", {{"target", "/bin/x:f"}, {"instrument", {{"type", "log"}, {"labels", {{"k", "arg0"}}}}}}},
      {"processes", {1, 2}},
      {"sites", json::array()},
      {"return", {{"strategy", "none"}, {"why", ""}}},
      {"hits", 5},
      {"lost", {{"ring_full", 2}, {"unreadable", 1}}},
      {"truncated", 4},
      {"errors", {{{"what", "attach `a`"}, {"where", "pid 2"}, {"why", "it has exited"}, {"mend", ""}}}},
      {"applied", {{"host:1:99", {{"lm", "2026-11-20T12:00:00Z"}, {"err", nullptr}}}}},
      {"overhead_seconds", 0.5},
      {"budget", 0.05},
      {"expires", nullptr},
      {"remaining_seconds", nullptr}};
  EXPECT_EQ(status_text(status, plain, noon()),
            "a partial\n"
            "  processes  1, 2\n"
            "  hits       5\n"
            "  lost       3 (ring_full 2, unreadable 1)\n"
            "  truncated  4 texts, longer than their room\n"
            "  overhead   500ms of CPU, budget 5 % of a core\n"
            "  expires    never\n"
            "  applied    host:1:99: ok\n"
            "  error      attach `a`: pid 2: it has exited\n"
            "  spec\n"
            "    instrument:\n"
            "      labels:\n"
            "        k: arg0\n"
            "      type: log\n"
            "    target: /bin/x:f\n");
}

TEST(EventText, IsOneLineWithItsMessageLabelsAndFields) {
  const json event = {{"time", "2026-11-20T12:00:00.5Z"},
                      {"probe", "slow"},
                      {"instrument", "log"},
                      {"event", "return"},
                      {"pid", 12},
                      {"tid", 13},
                      {"comm", "redis"},
                      {"value", nullptr},
                      {"message", "took 3us"},
                      {"labels", {{"ok", "1"}, {"path", "/a"}}},
                      {"fields", {{"size", 42}}},
                      {"truncated", {"path"}},
                      {"custom", json::object()}};
  EXPECT_EQ(event_text(event, plain), "2026-11-20T12:00:00.5Z slow redis[12] return took 3us ok=1 path=/a\u2026\n");
}

TEST(ApplyText, SaysWhatWasDoneToWhich) {
  EXPECT_EQ(apply_text({{"added", {"a"}}, {"removed", {"b"}}, {"failed", {{{"id", "c"}, {"errors", json::array()}}}}}),
            "added      a\nremoved    b\nfailed     c\n");
}

TEST(Rendering, AnswersOfAnotherShapeAreSurvived) {
  for (const json& odd :
       {json(), json(3), json::array(), json{{"probes", 3}}, json{{"sites", {1, "x"}}, {"processes", "y"}},
        json{{"families", {{{"kind", "histogram"}, {"series", {{{"buckets", {1, {2}}}}}}}}}}}) {
    EXPECT_NO_THROW({
      static_cast<void>(list_text(odd, plain));
      static_cast<void>(apply_text(odd));
      static_cast<void>(reading_text(odd, plain));
      static_cast<void>(event_text(odd, plain));
      static_cast<void>(attach_text(odd, plain, noon()));
      static_cast<void>(status_text(odd, plain, noon()));
    }) << odd;
  }
}

}  // namespace
}  // namespace diagnose::cli
