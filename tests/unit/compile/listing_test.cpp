// Golden: the instructions of a dozen instruments, as `explain --bpf` prints them.
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "probes.h"

namespace diagnose::compile {
namespace {

using spec::InstrumentType;

std::string section(const std::string& title, const spec::Instrument& instrument) {
  const Evaluated evaluated = evaluate(probe_of({instrument}));
  std::string text = "== " + title + "\n" + faults_text(evaluated);
  if (evaluated.probe.capture) text += "-- capture\n" + listing(evaluated.probe.capture->instructions);
  const Evaluation& evaluation = evaluated.probe.instruments.at(0);
  if (!evaluation.fold) text += "-- admit\n" + listing(evaluation.admit.instructions);
  return text + "-- evaluate\n" + listing(evaluation.evaluate.instructions);
}

std::string all() {
  std::string text = section("counter", of_type(InstrumentType::counter));
  spec::Instrument where = of_type(InstrumentType::counter);
  where.where = text_at("arg0 > 10 && arg1 != 3");
  text += section("counter where arg0 > 10 && arg1 != 3", where);
  text += section("counter of arg1", of_type(InstrumentType::counter, "arg1"));
  spec::Instrument labelled = of_type(InstrumentType::counter);
  labelled.labels = {{"op", text_at("arg0")}};
  text += section("counter with label arg0", labelled);
  for (const char* expression :
       {"(int)arg0 / (int)arg1", "*(u32 *)(arg0 + 16)", "(u8)arg0 + 1", "arg0 ? arg1 << 3 : -1", "mag((u8)arg0, 1000)",
        "mag((u32)arg0, 2)", "5s - elapsed", "((int *)arg0)[1] * ((int *)arg1)[2]"}) {
    text += section(std::string("gauge of ") + expression, of_type(InstrumentType::gauge, expression));
  }
  spec::Instrument histogram = of_type(InstrumentType::histogram, "arg0");
  histogram.buckets = spec::Buckets{{1, 10, 1e10}, false, {}};
  text += section("histogram of arg0", histogram);
  spec::Instrument sampled = of_type(InstrumentType::gauge, "arg2 - result");
  sampled.sample_every = 100;
  sampled.where = text_at("comm == \"redis-server\"");
  text += section("gauge of arg2 - result, sampled, where comm == ...", sampled);
  spec::Instrument log = of_type(InstrumentType::log);
  log.where = text_at("arg1 == 0");
  log.labels = {{"path", text_at("str(arg0, 15)")}};
  log.message = spec::Message{{"", "", ""}, {text_at("*(int *)arg2"), text_at("pid")}};
  return text + section("log of *(int *)arg2 and pid, with label str(arg0, 15)", log);
}

TEST(Listing, InstructionsAreThoseOfTheGoldenFile) {
  std::ifstream file(TEST_SOURCE_DIR "/unit/compile/listings.golden");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(all(), golden.str());
}

bpf_insn instruction(unsigned code, std::uint8_t to, std::uint8_t from, std::int16_t offset, std::int32_t value) {
  bpf_insn made{};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = to & 0xfU;
  made.src_reg = from & 0xfU;
  made.off = offset;
  made.imm = value;
  return made;
}

TEST(Listing, ShowsWhatOnlyStencilsUse) {
  EXPECT_EQ(
      listing({instruction(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, 7), instruction(0, 0, 0, 0, 0),
               instruction(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 2), instruction(BPF_JMP | BPF_CALL, 0, 0, 0, 1),
               instruction(BPF_JMP | BPF_JA, 0, 0, -3, 0), instruction(BPF_STX | BPF_MEM | BPF_B, 10, 2, -1, 0),
               instruction(BPF_ALU | BPF_ADD | BPF_X, 1, 2, 0, 0), instruction(BPF_ST | BPF_MEM | BPF_H, 1, 0, 6, -1)}),
      "   0: r1 = map[fd:7]\n"
      "   2: call pc+2 <5>\n"
      "   3: call bpf_map_lookup_elem#1\n"
      "   4: goto pc-3 <2>\n"
      "   5: *(u8 *)(r10 -1) = r2\n"
      "   6: w1 += w2\n"
      "   7: *(u16 *)(r1 +6) = -1\n");
}

TEST(Listing, InstructionsItDoesNotKnowAreShownByNumber) {
  for (unsigned code = 0; code < 256; ++code) {
    EXPECT_FALSE(listing({instruction(code, 1, 2, 3, 4)}).empty());
  }
  EXPECT_EQ(listing({instruction(0xff, 0, 0, 0, 0)}), "   0: (0xff)\n");
}

}  // namespace
}  // namespace diagnose::compile
