#include "app/handover.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/budget.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

target::Site some_site() {
  target::Site site;
  site.kind = target::SiteKind::tail;
  site.address = LinkAddress{0x1234};
  site.offset = FileOffset{0xffff'ffff'ffff};
  site.instruction = "jmp *%rax";
  site.bytes = {0xff, 0xe0};
  site.cost = target::Cost::emulated;
  site.tail.displacement = -8;
  site.unless = std::uint8_t{4};
  return site;
}

HandedProbe some_probe() {
  HandedProbe probe;
  probe.id = "checkout";
  probe.number = 7;
  probe.written = {{"target", {{"pid", 12}}}, {"lifespan", "10m"}};
  probe.returns.frames = compile::FrameKey::goroutine;
  probe.shape = 0xfedc'ba98'7654'3210;
  probe.maps = {"map:1", "map:2"};
  probe.programs = {"program:3", ""};
  probe.admitted = {0x7'0000'000c};
  probe.unwinding[12] = {"link:9"};
  probe.grips.push_back({.file = {8, 4711},
                         .every_process = true,
                         .processes = {{.pid = 12, .start_ticks = 99}},
                         .digest = 1,
                         .returns = {{attach::Strategy::callers, "it may throw", 3}},
                         .covered = {3},
                         .links = {"link:10"},
                         .learning = {},
                         .lease = "file:8:4711"});
  probe.callers.learnt_sites[{8, 4711}] = {some_site()};
  probe.foldings = {{.series = {{{1, 2}, {3, 4}}}, .other = {5}}};
  return probe;
}

Handover some_handover() {
  return {.contract = contract_digest(),
          .records = "map:100",
          .processes = "map:101",
          .last_number = 8,
          .probes = {some_probe()}};
}

TEST(Handover, WhatIsWrittenIsReadBack) {
  const std::string text = text_of(some_handover());
  const auto read = read_handover(text);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(text_of(*read), text);
  const HandedProbe& probe = read->probes.at(0);
  EXPECT_EQ(probe.shape, 0xfedc'ba98'7654'3210);
  EXPECT_EQ(probe.returns.frames, compile::FrameKey::goroutine);
  EXPECT_EQ(probe.grips.at(0).returns.at(0).strategy, attach::Strategy::callers);
  const target::Site& site = probe.callers.learnt_sites.at({8, 4711}).at(0);
  EXPECT_EQ(site.offset, some_site().offset);
  EXPECT_EQ(site.tail.displacement, -8);
  EXPECT_EQ(site.unless, 4);
}

TEST(Handover, AnotherContractIsRefusedWhateverElseItSays) {
  const auto read = read_handover(R"({"contract": "0123", "probes": 12})");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().text(), HasSubstr("another version"));
}

TEST(Handover, WhatIsNoHandoverIsRefused) {
  for (const std::string text : {"", "{", "[]", "{}", "null"}) EXPECT_FALSE(read_handover(text)) << text;
  const std::string cut = text_of(some_handover());
  for (std::size_t length = 0; length < cut.size(); length += 7) EXPECT_FALSE(read_handover(cut.substr(0, length)));
}

TEST(Handover, ASpecThatWasRenewedIsTheSame) {
  nlohmann::json one = some_probe().written;
  nlohmann::json other = one;
  other["lifespan"] = "1h";
  EXPECT_TRUE(same_but_lifespan(one, other));
  other["target"]["pid"] = 13;
  EXPECT_FALSE(same_but_lifespan(one, other));
}

Fd a_file() {
  return Fd(::memfd_create("a", MFD_CLOEXEC));
}

TEST(Handover, OfAProbeWithAMissingDescriptorNoneIsTaken) {
  Outgoing outgoing;
  std::vector<Fd> files;
  for (int i = 0; i < 3; ++i) files.push_back(a_file());
  HandedProbe probe;
  probe.maps = outgoing.add(files);
  EXPECT_EQ(outgoing.descriptors().size(), 3U);
  files.pop_back();
  Incoming all(std::move(files));
  Incoming own;
  EXPECT_FALSE(own.take_all(probe, all));
  EXPECT_TRUE(own.rest().empty());
  EXPECT_EQ(all.rest().size(), 2U);
}

TEST(Handover, AClaimedProbeHasItsDescriptorsAndTheOthersAreLeft) {
  Outgoing outgoing;
  std::vector<Fd> files;
  for (int i = 0; i < 4; ++i) files.push_back(a_file());
  Handover handover;
  handover.records = outgoing.add(files[0]);
  handover.processes = outgoing.add(files[1]);
  for (const char* id : {"wanted", "forgotten"}) {
    HandedProbe probe;
    probe.id = id;
    probe.maps = {outgoing.add(files[handover.probes.size() + 2])};
    handover.probes.push_back(std::move(probe));
  }
  Inheritance inheritance(handover, std::move(files));
  EXPECT_GE(inheritance.records(), 0);
  spec::Probe spec;
  spec.id = "wanted";
  spec.written = nullptr;
  const auto claimed = inheritance.claim(spec);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->descriptors.rest().size(), 1U);
  EXPECT_FALSE(inheritance.claim(spec)) << "once only";
  const auto rest = inheritance.rest();
  EXPECT_THAT(rest.ids, ElementsAre("forgotten"));
  EXPECT_EQ(rest.descriptors.size(), 1U);
}

TEST(Handover, WithoutTheSharedMapsNothingIsClaimed) {
  Handover handover;
  handover.records = "map:1";
  handover.probes.push_back(some_probe());
  Inheritance inheritance(handover, {});
  spec::Probe spec;
  spec.id = "checkout";
  spec.written = some_probe().written;
  EXPECT_FALSE(inheritance.claim(spec));
}

TEST(Spending, OneThatGoesOnPaysNothingTwice) {
  Spending spending;
  spending.restart(BootClock::time_point(1h));
  spending.resume(1'000'000, 2.5);
  spending.set_price(1'000);
  spending.count(1'000'500);
  spending.look(BootClock::time_point(1h + 1s));
  EXPECT_DOUBLE_EQ(spending.seconds(), 2.5005);
  EXPECT_DOUBLE_EQ(spending.hits_a_second(), 500);
}

}  // namespace
}  // namespace diagnose::app
