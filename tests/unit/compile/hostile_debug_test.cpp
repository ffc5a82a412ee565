// Debug information that lies, and expressions over it that mean nothing: faults, or lawful code.
#include <gtest/gtest.h>
#include <random>

#include "described.h"
#include "probes.h"

namespace diagnose::compile {
namespace {

class Liar {
 public:
  explicit Liar(unsigned seed) : random_(seed) {
    Described& made = described;
    for (int i = 0; i < 24; ++i) {
      DebugType type = Described::made(static_cast<Kind>(random_() % 12), pick({"a", "b", "struct s", ""}), number(),
                                       static_cast<TypeId>(random_() % 40));
      type.count = number();
      type.is_signed = random_() % 2 == 0;
      type.is_character = random_() % 4 == 0;
      type.expanded = random_() % 8 != 0;
      type.layout.data_offset = static_cast<std::uint32_t>(number());
      type.layout.size_offset = static_cast<std::uint32_t>(number());
      type.layout.size_is_end = random_() % 3 == 0;
      type.layout.has_short = random_() % 3 == 0;
      type.layout.short_at = static_cast<std::uint32_t>(number());
      type.layout.short_mask = static_cast<std::uint8_t>(number());
      type.layout.short_shift = static_cast<std::uint8_t>(number());
      type.layout.short_data_offset = static_cast<std::uint32_t>(number());
      type.layout.flag_bytes = static_cast<std::uint8_t>(random_() % 10);
      for (std::size_t count = random_() % 4; count > 0; --count) {
        type.members.push_back({.name = pick({"a", "b", "c", ""}),
                                .type = static_cast<TypeId>(random_() % 40),
                                .offset = number(),
                                .bits = static_cast<std::uint8_t>(random_() % 3 == 0 ? random_() : 0),
                                .bit_offset = static_cast<std::uint16_t>(random_() % 100),
                                .is_base = random_() % 4 == 0,
                                .is_virtual = random_() % 8 == 0});
      }
      type.enumerators = {{"red", 1}, {"red", 1}};
      made.add(type);
    }
    for (const char* name : {"a", "b", "this"}) {
      std::vector<Piece> pieces;
      for (std::size_t count = random_() % 3; count > 0; --count) pieces.push_back(piece());
      made.variable(name, static_cast<TypeId>(random_() % 40), std::move(pieces));
    }
    made.result(static_cast<TypeId>(random_() % 40), {piece()});
    made.info.globals = {{"g", static_cast<TypeId>(random_() % 40), LinkAddress{number()}, "", ""}};
    made.info.named_types = {{"T", static_cast<TypeId>(random_() % 40)}};
    made.info.constants = {{"red", static_cast<TypeId>(random_() % 40), static_cast<std::int64_t>(number())}};
  }

  std::string expression() {
    static const std::vector<std::string> tokens = {
        "a",     "b",   "c",    "this",    "arg0", "result", "::g",         "red", "1",         "0",   "null",
        "\"x\"", "(",   ")",    "[",       "]",    "[0]",    "[a]",         "+",   "-",         "*",   "&",
        "!",     "==",  "!=",   "&&",      "||",   "?",      ":",           "->a", ".a",        ".b",  "->b",
        ".size", "(T)", "(T*)", "(char*)", "str(", "len(",   "startswith(", ",",   "sizeof(T)", "hex("};
    std::string soup;
    for (std::size_t count = 1 + random_() % 8; count > 0; --count) soup += tokens[random_() % tokens.size()];
    return soup;
  }

  Described described;

 private:
  std::uint64_t number() {
    switch (random_() % 5) {
      case 0:
        return random_();
      case 1:
        return std::uint64_t{random_()} << 32U | random_();
      case 2:
        return random_() % 4;
      default:
        return 8 * (random_() % 5);
    }
  }
  std::string pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }
  Piece piece() {
    return {.where = static_cast<Piece::Where>(random_() % 6),
            .base = static_cast<std::uint8_t>(random_() % 20),
            .index = random_() % 4 == 0 ? static_cast<std::uint8_t>(random_() % 20) : target::register_none,
            .scale = static_cast<std::uint8_t>(random_() % 9),
            .offset = static_cast<std::int64_t>(number()),
            .bytes = static_cast<std::uint32_t>(number())};
  }

  std::mt19937 random_;
};

TEST(HostileDebugInfo, NothingThatAReaderSaysMakesUnlawfulCode) {
  std::size_t compiled = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    Liar liar(seed);
    for (int i = 0; i < 20; ++i) {
      const std::string expression = liar.expression();
      spec::Instrument log = of_type(spec::InstrumentType::log, expression);
      log.where = text_at(expression);
      log.labels = {{"l", text_at(expression)}};
      log.message = spec::Message{{"", ""}, {text_at(expression)}};
      if (i % 2 == 0) log.event = spec::Event::end;
      const Evaluated evaluated = evaluate(probe_of({log}), liar.described.subject());
      for (const spec::Fault& fault : evaluated.faults) {
        ASSERT_FALSE(fault.what.empty() || fault.why.empty()) << expression;
      }
      if (!evaluated.faults.empty()) continue;
      ++compiled;
      const Evaluation& evaluation = evaluated.probe.instruments[0];
      Stopped stopped;
      if (evaluated.probe.capture) stopped.run(*evaluated.probe.capture, 0);
      ASSERT_EQ(stopped.error, "") << expression;
      stopped.run(evaluation.admit, 0);
      ASSERT_EQ(stopped.error, "") << expression;
      stopped.run(evaluation.evaluate, evaluation.payload.size);
      ASSERT_EQ(stopped.error, "") << expression << "\n" << listing(evaluation.evaluate.instructions);
      ASSERT_LE(stopped.stack_used, 200U);
    }
  }
  EXPECT_GT(compiled, 300U);
}

}  // namespace
}  // namespace diagnose::compile
