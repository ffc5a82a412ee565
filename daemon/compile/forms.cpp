#include "compile/forms.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "bpf/contract.h"
#include "compile/assembler.h"

namespace diagnose::compile {
namespace {

using event::ColumnType;

bool same(const Function& a, const Function& b) {
  const std::size_t bytes = a.instructions.size() * sizeof(bpf_insn);
  return a.instructions.size() == b.instructions.size() &&
         (bytes == 0 || std::memcmp(a.instructions.data(), b.instructions.data(), bytes) == 0);
}

bool same(const event::Layout& a, const event::Layout& b) {
  return a.size == b.size && a.columns == b.columns;
}

bool alike(const Evaluation& a, const Evaluation& b) {
  return a.phase == b.phase && a.fold == b.fold && a.unit_is_time == b.unit_is_time &&
         a.value_is_signed == b.value_is_signed && same(a.key, b.key) && same(a.payload, b.payload) &&
         a.payload_key_offset == b.payload_key_offset && a.payload_value_offset == b.payload_value_offset &&
         a.bounds == b.bounds;
}

void take_columns(event::Layout& common, const event::Layout& other) {
  for (std::size_t at = 0; at < std::min(common.columns.size(), other.columns.size()); ++at) {
    ColumnType& type = common.columns[at].type;
    if (other.columns[at].null_bit >= 0) common.columns[at].null_bit = other.columns[at].null_bit;
    if (type == ColumnType::unsigned_integer && other.columns[at].type == ColumnType::signed_integer) {
      type = ColumnType::signed_integer;
    }
  }
}

bpf_insn number_differs(Register number, std::size_t form, std::size_t over) {
  return {.code = BPF_JMP | BPF_JNE | BPF_K,
          .dst_reg = static_cast<std::uint8_t>(number & 0xfU),
          .src_reg = 0,
          .off = static_cast<std::int16_t>(over),
          .imm = static_cast<std::int32_t>(form)};
}

// Asks the cookie, then becomes the function of that form, with the arguments that it was called with itself.
std::optional<Function> choosing(const std::vector<const Function*>& forms) {
  if (std::all_of(forms.begin(), forms.end(), [&](const Function* one) { return same(*one, *forms.front()); })) {
    return *forms.front();
  }
  constexpr Register number = BPF_REG_5;
  Assembler beginning;
  for (Register argument = BPF_REG_1; argument <= BPF_REG_4; ++argument) beginning.move(argument + 5, argument);
  beginning.call(BpfCall::get_attach_cookie);
  beginning.alu_constant(BPF_RSH, BPF_REG_0, COOKIE_DETAIL_SHIFT);
  beginning.alu_constant(BPF_AND, BPF_REG_0, COOKIE_FIELD_MASK);
  beginning.move(number, BPF_REG_0);
  for (Register argument = BPF_REG_1; argument <= BPF_REG_4; ++argument) beginning.move(argument, argument + 5);
  auto code = beginning.finish();
  if (!code) return std::nullopt;
  for (std::size_t form = 0; form < forms.size(); ++form) {
    const auto& own = forms[form]->instructions;
    if (own.size() > static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max())) return std::nullopt;
    code->push_back(number_differs(number, form, own.size()));
    code->insert(code->end(), own.begin(), own.end());
  }
  Assembler end;  // no breakpoint has another number
  end.constant(BPF_REG_0, 0);
  end.exit();
  const auto none = end.finish();
  code->insert(code->end(), none->begin(), none->end());
  return Function{std::move(*code)};
}

// The field `function` of the instrument `at`, chosen from that of each form.
bool choose(std::span<const ProbeEvaluation> forms, std::size_t at, Function Evaluation::*function,
            ProbeEvaluation& made) {
  std::vector<const Function*> each;
  for (const ProbeEvaluation& form : forms) each.push_back(&(form.instruments[at].*function));
  auto chosen = choosing(each);
  if (chosen) made.instruments[at].*function = std::move(*chosen);
  return chosen.has_value();
}

}  // namespace

bool same(const ProbeEvaluation& a, const ProbeEvaluation& b) {
  if (a.entry_registers != b.entry_registers || a.capture.has_value() != b.capture.has_value()) return false;
  if (a.capture && !same(*a.capture, *b.capture)) return false;
  return std::equal(a.instruments.begin(), a.instruments.end(), b.instruments.begin(), b.instruments.end(),
                    [](const Evaluation& one, const Evaluation& other) {
                      return same(one.admit, other.admit) && same(one.evaluate, other.evaluate) &&
                             same(one.key, other.key) && same(one.payload, other.payload);
                    });
}

bool alike(const ProbeEvaluation& a, const ProbeEvaluation& b) {
  return std::equal(a.instruments.begin(), a.instruments.end(), b.instruments.begin(), b.instruments.end(),
                    [](const Evaluation& one, const Evaluation& other) { return alike(one, other); });
}

void take_columns(ProbeEvaluation& common, const ProbeEvaluation& other) {
  for (std::size_t at = 0; at < common.instruments.size(); ++at) {
    Evaluation& instrument = common.instruments[at];
    instrument.value_is_signed = instrument.value_is_signed || other.instruments[at].value_is_signed;
    take_columns(instrument.key, other.instruments[at].key);
    take_columns(instrument.payload, other.instruments[at].payload);
  }
}

std::optional<ProbeEvaluation> choosing(std::span<const ProbeEvaluation> forms) {
  ProbeEvaluation made = forms.front();
  made.forms = forms.size();
  for (const ProbeEvaluation& form : forms) {
    made.entry_registers = static_cast<std::uint16_t>(made.entry_registers | form.entry_registers);
    made.reads_memory_at_call = made.reads_memory_at_call || form.reads_memory_at_call;
    made.may_sleep = made.may_sleep || form.may_sleep;
  }
  for (std::size_t at = 0; at < made.instruments.size(); ++at) {
    if (!choose(forms, at, &Evaluation::admit, made) || !choose(forms, at, &Evaluation::evaluate, made)) {
      return std::nullopt;
    }
  }
  return made;
}

}  // namespace diagnose::compile
