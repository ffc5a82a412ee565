// The kernel's verifier takes every shape of code that expressions over debug information become.
#include <gtest/gtest.h>

#include "kernel/rig.h"
#include "unit/compile/described.h"

namespace diagnose::test {
namespace {

using compile::Described;
using compile::in_memory;
using compile::in_register;
using compile::Kind;
using target::DebugType;
using target::Piece;

// A function with one parameter of each kind.
Described described() {
  Described made;
  using Member = DebugType::Member;
  DebugType plain = Described::made(Kind::text, "std::string", 32, made.char_);
  plain.layout.size_offset = 8;
  const auto text = made.add(plain);
  DebugType other = plain;
  other.layout.data_offset = 16;
  other.layout.has_short = other.layout.short_if_clear = true;
  other.layout.short_mask = other.layout.short_shift = 1;
  other.layout.short_data_offset = 1;
  const auto short_text = made.add(other);
  DebugType sequence = Described::made(Kind::sequence, "std::vector<int>", 24, made.int_);
  sequence.layout.size_offset = 8;
  sequence.layout.size_is_end = true;
  DebugType optional = Described::made(Kind::optional, "std::optional<int>", 8, made.int_);
  optional.layout.size_offset = 4;
  const auto color = made.enumeration("Color", 4, true, {{"red", 1}});
  const auto record = made.record(
      "struct s", 256,
      {Member{.name = "n", .type = made.int_, .offset = 0},
       Member{.name = "odd", .type = made.int_, .offset = 4, .bits = 17, .bit_offset = 3},
       Member{.name = "text", .type = text, .offset = 16}, Member{.name = "other", .type = short_text, .offset = 48},
       Member{.name = "fixed", .type = made.array(made.char_, 12), .offset = 80},
       Member{.name = "name", .type = made.pointer(made.char_), .offset = 96},
       Member{.name = "v", .type = made.add(sequence), .offset = 104},
       Member{.name = "maybe", .type = made.add(optional), .offset = 128},
       Member{.name = "color", .type = color, .offset = 136},
       Member{.name = "real", .type = made.double_, .offset = 144}});
  made.variable("p", made.pointer(record), {in_register(compile::rdi)});
  made.variable("view", text, {in_register(compile::rsi), in_register(compile::rdx)});
  made.variable("stack", record, {in_memory(compile::rsp, 8, 256)});
  made.variable("stack_text", text, {in_memory(compile::rsp, 8, 32)});
  made.result(record, {in_memory(compile::rax, 0, 256)});
  made.info.globals = {{"g", made.int_, LinkAddress{0x4000}, ""}};
  made.site = LinkAddress{0x1000};
  return made;
}

TEST(Expressions, TheVerifierTakesWhatTheyBecome) {
  const Described made = described();
  const std::string target = "target: {pid: 1, function: f}, ";
  const std::string expressions[] = {
      "p->n",
      "p->odd + stack.odd",
      "p->v[p->n] + len(p->v)",
      "p->maybe == null ? 1 : *p->maybe",
      "p != null && p->text == \\\"0123456789abcdefghij\\\"",
      "p->other != \\\"x\\\" || startswith(p->name, \\\"/api/\\\")",
      "len(p->name) + len(p->fixed) + len(p->other)",
      "startswith(view, \\\"0123456789\\\") ? view.size : ::g",
      "p->fixed == \\\"fixed\\\" && stack.n == 3",
  };
  for (const std::string event : {"call", "return", "end"}) {
    std::string instruments;
    for (const std::string& expression : expressions) {
      instruments += (instruments.empty() ? "" : ", ") +
                     ("{type: gauge, name: g" + std::to_string(instruments.size())) + ", value: \"" + expression +
                     "\", event: " + event + "}";
    }
    EXPECT_NO_THROW(Rig(target + "instruments: [" + instruments + "]", {}, made.subject())) << event;
  }
  const std::string labels =
      "a: p->text, b: view, c: p->color, d: \"str(p->other, 16)\", e: \"str(p->name, 16)\", f: \"str(p->fixed, 8)\"";
  for (const char* event : {"call", "return", "end"}) {
    const std::string at = std::string("event: ") + event;
    EXPECT_NO_THROW(
        Rig(target + "instrument: {type: counter, name: c, labels: {" + labels + "}, " + at + "}", {}, made.subject()));
    EXPECT_NO_THROW(Rig(target +
                            "instrument: {type: log, message: \"{p->text} {view} {p->color} {p->other} {p->name} "
                            "{p->fixed} {p->real} {stack_text} {stack.n}\", " +
                            at + "}",
                        {}, made.subject()));
  }
  EXPECT_NO_THROW(Rig(target + "instrument: {type: log, message: \"{result.text} {result.n}\"}", {}, made.subject()));
}

}  // namespace
}  // namespace diagnose::test
