#include "compile/forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "described.h"
#include "event/layout.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

using spec::InstrumentType;
using testing::HasSubstr;

// One place of a marker, whose first argument is where the test puts it.
struct Place {
  Described described;

  Place(TypeId Described::*type, Piece piece) {
    described.abi = Abi::none;
    described.variable("arg0", described.*type, {piece});
  }
};

ProbeEvaluation at(const Place& place, const spec::Probe& probe, const ProbeEvaluation* like = nullptr) {
  Subject subject = place.described.subject();
  subject.like = like;
  Evaluated made = evaluate(probe, subject);
  EXPECT_EQ(faults_text(made), "");
  return std::move(made.probe);
}

spec::Probe marker_probe(spec::Instrument instrument) {
  spec::Probe probe = probe_of({std::move(instrument)});
  probe.target.place_by = spec::PlaceBy::usdt;
  return probe;
}

Piece constant_piece(std::int64_t value) {
  return {.where = Piece::Where::constant, .offset = value, .bytes = 8};
}

class AtForm : public Stopped {
 public:
  std::uint64_t run_as(std::uint64_t form, const Function& function, std::size_t out_bytes = sizeof(evaluation)) {
    machine.cookie = 0xffff'ffff'0000'0008 | form << 16U;
    const std::uint64_t answer = run(function, out_bytes);
    EXPECT_EQ(error, "");
    return answer;
  }
};

TEST(Forms, EachReadsItsValueFromItsOwnPlace) {
  const spec::Probe probe = marker_probe(gauge("arg0"));
  const Place one(&Described::long_, in_register(rdi));
  const Place two(&Described::int_, in_memory(rsi, 8));
  const Place three(&Described::int_, constant_piece(7));
  const std::vector<ProbeEvaluation> forms = {at(one, probe), at(two, probe), at(three, probe)};
  for (const ProbeEvaluation& form : forms) EXPECT_TRUE(alike(forms[0], form));
  const auto made = choosing(forms);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->forms, 3U);
  EXPECT_EQ(made->entry_registers, 1U << rdi | 1U << rsi);
  const std::array<std::int32_t, 4> memory = {1, 2, -33, 4};
  AtForm stopped;
  stopped.machine.map_user(memory.data(), sizeof memory);
  stopped.arguments(static_cast<std::uint64_t>(-12), BpfMachine::address(memory.data()));
  const Function& function = made->instruments.at(0).evaluate;
  EXPECT_EQ(stopped.run_as(0, function), 1U);
  EXPECT_EQ(stopped.value(), -12);
  EXPECT_EQ(stopped.run_as(1, function), 1U);
  EXPECT_EQ(stopped.value(), -33);
  EXPECT_EQ(stopped.run_as(2, function), 1U);
  EXPECT_EQ(stopped.value(), 7);
  EXPECT_EQ(stopped.run_as(3, function), 0U);
}

TEST(Forms, AskNobodyWhereAllAreOne) {
  const spec::Probe probe = marker_probe(of_type(InstrumentType::counter));
  const Place one(&Described::long_, in_register(rdi));
  const Place two(&Described::int_, in_memory(rsi, 8));
  EXPECT_TRUE(same(at(one, probe), at(two, probe)));
  const auto made = choosing(std::vector{at(one, probe), at(two, probe)});
  ASSERT_TRUE(made);
  EXPECT_EQ(listing(made->instruments[0].evaluate.instructions),
            listing(at(one, probe).instruments[0].evaluate.instructions));
}

TEST(Forms, AreAsManyAsTheBoundSays) {
  spec::Instrument labelled = gauge("arg0 * 3");
  labelled.labels = {{"low", text_at("arg0 % 10")}};
  const spec::Probe probe = marker_probe(labelled);
  std::vector<ProbeEvaluation> forms;
  for (std::size_t number = 0; number < limits::forms_per_probe; ++number) {
    forms.push_back(at(Place(&Described::long_, in_memory(rdi, static_cast<std::int64_t>(8 * number))), probe));
  }
  const auto made = choosing(forms);
  ASSERT_TRUE(made);
  std::vector<std::int64_t> memory(forms.size());
  AtForm stopped;
  stopped.machine.map_user(memory.data(), memory.size() * 8);
  stopped.arguments(BpfMachine::address(memory.data()));
  for (std::size_t number = 0; number < forms.size(); ++number) memory[number] = static_cast<std::int64_t>(number);
  for (std::size_t number = 0; number < forms.size(); ++number) {
    EXPECT_EQ(stopped.run_as(number, made->instruments[0].evaluate), 1U);
    EXPECT_EQ(stopped.value(), 3 * static_cast<std::int64_t>(number));
  }
}

// A label and a value that are signed at one place and unsigned at the other.
TEST(Forms, OfDifferentSignsHaveOneColumnAndWhatDoesNotFitIsRefusedAndCounted) {
  spec::Instrument labelled = gauge("arg0");
  labelled.labels = {{"level", text_at("arg0")}};
  spec::Instrument log = of_type(InstrumentType::log, "arg0");
  for (const spec::Instrument& instrument : {labelled, log}) {
    const spec::Probe probe = marker_probe(instrument);
    const Place first(&Described::u64_, in_register(rdi));
    const Place second(&Described::long_, in_register(rsi));
    const Place third(&Described::u32_, in_register(rdx));
    ProbeEvaluation common = at(first, probe);
    EXPECT_FALSE(alike(common, at(second, probe)));
    for (const Place* place : {&second, &third}) take_columns(common, at(*place, probe));
    const std::vector<ProbeEvaluation> forms = {at(first, probe, &common), at(second, probe, &common),
                                                at(third, probe, &common)};
    for (const ProbeEvaluation& form : forms) EXPECT_TRUE(alike(common, form));
    const auto made = choosing(forms);
    ASSERT_TRUE(made);
    const Evaluation& evaluation = made->instruments[0];
    AtForm stopped;
    stopped.arguments(std::uint64_t{1} << 63U, static_cast<std::uint64_t>(-5), ~std::uint64_t{0});
    EXPECT_EQ(stopped.run_as(0, evaluation.evaluate), 0U);
    EXPECT_EQ(stopped.lost(LOSS_REFUSED), 1U);
    EXPECT_EQ(stopped.run_as(1, evaluation.evaluate), 1U);
    EXPECT_EQ(stopped.value(), -5);
    EXPECT_EQ(stopped.run_as(2, evaluation.evaluate), 1U);
    EXPECT_EQ(stopped.value(), 0xffff'ffff);
    stopped.arguments((std::uint64_t{1} << 63U) - 1);
    EXPECT_EQ(stopped.run_as(0, evaluation.evaluate), 1U);
    EXPECT_EQ(stopped.value(), INT64_MAX);
    EXPECT_EQ(stopped.lost(LOSS_REFUSED), 1U);
  }
}

TEST(Forms, AConstantThatFitsNoSignedNumberIsRefused) {
  const spec::Probe probe = marker_probe(gauge("arg0"));
  const Place small(&Described::long_, in_register(rsi));
  const Place large(&Described::u64_, constant_piece(-1));
  ProbeEvaluation common = at(large, probe);
  take_columns(common, at(small, probe));
  AtForm stopped;
  EXPECT_EQ(stopped.run_as(0, at(large, probe, &common).instruments[0].evaluate), 0U);
  EXPECT_EQ(stopped.lost(LOSS_REFUSED), 1U);
}

TEST(Forms, OfDifferentTypesAreNotAlike) {
  spec::Instrument labelled = of_type(InstrumentType::counter);
  labelled.labels = {{"level", text_at("arg0")}};
  const spec::Probe probe = marker_probe(labelled);
  EXPECT_FALSE(alike(at(Place(&Described::long_, in_register(rdi)), probe),
                     at(Place(&Described::bool_, in_register(rdi)), probe)));
}

}  // namespace
}  // namespace diagnose::compile
