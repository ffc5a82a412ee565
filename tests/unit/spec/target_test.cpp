#include <gmock/gmock.h>

#include "reading.h"
#include "spec/parts.h"

namespace diagnose::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Target target_of(const std::string& text) {
  return probe_of(with_target(text)).target;
}

TEST(Target, TheShortFormSplitsAtTheFirstSingleColon) {
  struct Case {
    std::string text, module, function;
  };
  for (const Case& one : std::vector<Case>{
           {"/usr/bin/x:f", "/usr/bin/x", "f"},
           {"/usr/bin/x:ns::f", "/usr/bin/x", "ns::f"},
           {"/usr/bin/x:::f", "/usr/bin/x", "::f"},
           {"libssl.so.3:re:^SSL_", "libssl.so.3", "re:^SSL_"},
           {"/opt/a::b/x:ns::C::f(int, char const*)", "/opt/a::b/x", "ns::C::f(int, char const*)"},
           {"libc.so.6:malloc", "libc.so.6", "malloc"},
       }) {
    const auto halves = split_target(one.text);
    ASSERT_TRUE(halves) << one.text;
    EXPECT_EQ(halves->module, one.module) << one.text;
    EXPECT_EQ(halves->function, one.function) << one.text;
  }
  for (const std::string text : {"f", "ns::f", "/usr/bin/x", ":f", "m:", "re:^SSL_", "", ":", "::"}) {
    EXPECT_FALSE(split_target(text)) << text;
  }
}

TEST(Target, TheShortFormMeansAllProcessesThatMapTheModule) {
  const Target target = target_of("'/usr/bin/x:ns::f'");
  EXPECT_EQ(target.by, TargetBy::all);
  EXPECT_EQ(target.module, "/usr/bin/x");
  EXPECT_EQ(target.function.text, "ns::f");
  EXPECT_EQ(target.function.place.column, target.place.column + 11);
  EXPECT_EQ(target.text(), "/usr/bin/x:ns::f");
}

TEST(Target, EveryWayOfNamingProcessesIsRead) {
  EXPECT_THAT(target_of("{pid: 12, function: f}").pids, ElementsAre(12));
  EXPECT_THAT(target_of("{pid: [12, 13, 12], function: f}").pids, ElementsAre(12, 13));
  EXPECT_EQ(target_of("{pid: [12, 13], function: 'ns::f'}").text(), "pid 12,13 ns::f");
  EXPECT_EQ(target_of("{pid: 12, module: libc.so.6, function: f}").text(), "pid 12 libc.so.6:f");
  EXPECT_EQ(target_of("{exe: '*/bin/x', function: f}").text(), "*/bin/x:f");
  EXPECT_EQ(target_of("{exe: /bin/x, module: libc.so.6, function: f}").text(), "/bin/x libc.so.6:f");
  EXPECT_EQ(target_of("{comm: redis-server, function: f}").text(), "comm redis-server f");
  EXPECT_EQ(target_of("{comm: 123, function: f}").pattern, "123");
  EXPECT_EQ(target_of("{all: true, module: libc.so.6, function: f}").text(), "libc.so.6:f");
  EXPECT_EQ(target_of("{pid: 12, function: f, build_id: 00FFab}").build_id, "00ffab");
}

TEST(Target, EveryWayOfNamingThePlaceIsRead) {
  const Target address = target_of("{pid: 12, address: 0x1234}");
  EXPECT_EQ(address.place_by, PlaceBy::address);
  EXPECT_EQ(address.address, LinkAddress{0x1234});
  EXPECT_EQ(address.text(), "pid 12 0x1234");
  EXPECT_EQ(target_of("{pid: 12, address: '0x1234'}").address, LinkAddress{0x1234});
  const Target line = target_of("{exe: /bin/x, line: 'src/cart.cc:120'}");
  EXPECT_EQ(line.place_by, PlaceBy::line);
  EXPECT_EQ(line.function.text, "src/cart.cc");
  EXPECT_EQ(line.line, 120U);
  EXPECT_EQ(line.text(), "/bin/x:src/cart.cc:120");
  const Target marker = target_of("{exe: /bin/x, module: libx.so, usdt: 'python:function__entry'}");
  EXPECT_EQ(marker.place_by, PlaceBy::usdt);
  EXPECT_EQ(marker.function.text, "python:function__entry");
  EXPECT_EQ(marker.text(), "/bin/x libx.so:python:function__entry");
  EXPECT_TRUE(target_of("{pid: 1, function: f}").inlined);
  EXPECT_FALSE(target_of("{pid: 1, function: f, inline: false}").inlined);
}

TEST(Target, APlaceReadsBackAsItWasWritten) {
  for (const std::string place : {"address: 0x1234", "line: cart.cc:120", "usdt: a:b", "function: f, inline: false"}) {
    const Probe probe = probe_of(with_target("{pid: 1, " + place + "}"));
    const Probe again = probe_of(nlohmann::json{{"probes", {{"p", probe.written}}}}.dump());
    EXPECT_EQ(again.target.text(), probe.target.text());
    EXPECT_EQ(again.target.inlined, probe.target.inlined);
  }
}

TEST(Target, WhatIsWrongIsAFault) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{function: f}", "the target names no processes: exactly one of `pid`, `exe`, `comm` and `all` must stand"},
      {"{pid: 1, exe: /x, function: f}",
       "names its processes by `pid`, `exe`: exactly one of them may stand: keep one"},
      {"{pid: 1}", "`function` is missing"},
      {"{pid: 0, function: f}", "`pid: 0`: out of range"},
      {"{pid: -1, function: f}", "`pid: -1`: out of range"},
      {"{pid: 4194305, function: f}", "out of range: write a whole number, 1 to 4194304"},
      {"{pid: 99999999999999999999, function: f}", "is not a whole number"},
      {"{pid: self, function: f}", "`pid: self`: is not a whole number"},
      {"{pid: [], function: f}", "the list is empty"},
      {"{pid: [[1]], function: f}", "must be a number, not a list"},
      {"{exe: redis-server, function: f}", "write the whole path, `exe: '*/redis-server'`, or `comm: NAME`"},
      {"{exe: \"/a\\nb\", function: f}", "`exe: /a\\nb`: has a line break"},
      {"{comm: sixteen-letters-, function: f}",
       "`comm: sixteen-letters-`: the kernel keeps 15 characters of a name: "
       "write `comm: sixteen-letters`"},
      {"{all: true, function: f}", "`all: true`: needs a module"},
      {"{all: false, module: m, function: f}", "`all: false`: selects no process"},
      {"{all: maybe, module: m, function: f}", "must be true or false"},
      {"{pid: 1, function: ''}", "`function`: is empty"},
      {"{pid: 1, function: 're:'}", "the pattern is empty"},
      {"{pid: 1, function: f, build_id: xyz}", "is not a build id in hexadecimal"},
      {"{pid: 1, function: f, build_id: abc}", "is not a build id in hexadecimal"},
      {"{pid: 1, function: f, modul: m}", "unknown key `modul`: a target has no such key: did you mean `module`?"},
      {"{pid: 1, function: f, usdt: 'a:b'}",
       "the target names its place by `function`, `usdt`: exactly one of them may stand: keep one"},
      {"{pid: 1, address: 0}", "`address: 0`: out of range"},
      {"{pid: 1, address: main}", "`address: main`: is not a whole number"},
      {"{pid: 1, line: cart.cc}", "`line: cart.cc`: is not a source file and a line: write `FILE:LINE`"},
      {"{pid: 1, line: ':120'}", "is not a source file and a line"},
      {"{pid: 1, line: 'src/:120'}", "is not a source file and a line"},
      {"{pid: 1, line: 'cart.cc:0'}", "is not a source file and a line"},
      {"{pid: 1, line: 'cart.cc:4294967296'}", "is not a source file and a line"},
      {"{pid: 1, usdt: python}", "`usdt: python`: is not a provider and a marker's name: write `PROVIDER:NAME`"},
      {"{pid: 1, usdt: 'a::b'}", "is not a provider and a marker's name"},
      {"{pid: 1, usdt: 'a:'}", "is not a provider and a marker's name"},
      {"{pid: 1, line: 'cart.cc:1', inline: false}", "`inline`: only functions are inlined"},
      {"{pid: 1, function: f, inline: maybe}", "must be true or false"},
      {"app.module.function", "a dotted name does not say where the module ends: write `MODULE:FUNCTION`"},
      {"/usr/bin/redis-server", "has no module and function: write `MODULE:FUNCTION`"},
      {"[a]", "a target: must be a mapping, not a list"},
      {"~", "a target: must be a mapping, not nothing"},
  };
  for (const auto& [target, fault] : wrong) {
    const std::string text = with_target(target);
    EXPECT_THAT(faults_of(text), ElementsAre(HasSubstr(fault))) << text;
  }
}

}  // namespace
}  // namespace diagnose::spec
