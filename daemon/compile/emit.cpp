#include "compile/emit.h"

#include <algorithm>

#include "bpf/contract.h"
#include "compile/assembler.h"
#include "compile/emit_expression.h"

namespace diagnose::compile {
namespace {

using Label = Assembler::Label;

bool truncates(const Lowered& instrument) {
  const auto may_be = [](const Write& write) {
    return write.value->type.kind == TypeKind::text && may_be_truncated(*write.value, write.size);
  };
  return (instrument.value && may_be(*instrument.value)) ||
         std::any_of(instrument.writes.begin(), instrument.writes.end(), may_be);
}

// One function: its prologue, its parts, and the ways out that they share.
class FunctionEmitter {
 public:
  FunctionEmitter(const Needs& needs, bool out)
      : registers_(Registers::of(needs.calls)), expressions_(code_, registers_) {
    skip_ = code_.label();
    unreadable_ = code_.label();
    refused_ = code_.label();
    expressions_.on_null(skip_, unreadable_);
    if (!needs.calls) return;
    if (needs.ctx) code_.move(registers_.ctx, BPF_REG_1);
    if (needs.frame) code_.move(registers_.frame, BPF_REG_2);
    if (out) code_.move(registers_.out, BPF_REG_3);
    if (needs.ledger) code_.move(registers_.ledger, BPF_REG_4);
  }

  void filter(const Lowered& instrument) {
    if (instrument.where) expressions_.branch(*instrument.where, false, skip_);
    if (instrument.sample_every < 2) return;
    code_.call(BpfCall::get_prandom_u32);
    const std::uint64_t below = (std::uint64_t{1} << 32U) / instrument.sample_every;
    code_.jump_if_word(BPF_JGE, BPF_REG_0, static_cast<std::uint32_t>(below), skip_);
  }

  void body(const Lowered& instrument) {
    const bool truncates = diagnose::compile::truncates(instrument);
    if (truncates) expressions_.begin_truncated(instrument.marks_truncated);
    if (instrument.nulls_offset) {
      nulls_offset_ = static_cast<std::int32_t>(*instrument.nulls_offset);
      code_.store_constant(registers_.out, nulls_offset_, 0);
    }
    if (instrument.value) write(*instrument.value);
    for (const Write& each : instrument.writes) write(each);
    if (truncates) expressions_.add_truncated();
    if (!instrument.bounds) return answer(1);
    const Write& value = *instrument.value;
    const bool in_register = instrument.writes.empty() && !stores_immediate(value);
    if (!in_register) {
      code_.load(expressions_.temporary(0), registers_.out, static_cast<std::int32_t>(value.offset), 8);
    }
    bucket(*instrument.bounds, value.value->type.is_signed);
  }

  // Values of the call into the frame; what is null has its bit.
  void capture(const std::vector<Slot>& slots) {
    const auto offset_of = [](std::size_t slot) { return static_cast<std::int32_t>(sizeof(frame) + 8 * slot); };
    const auto nulls = std::find_if(slots.begin(), slots.end(), [](const Slot& slot) { return !slot.value; });
    const std::int32_t nulls_offset = offset_of(static_cast<std::size_t>(nulls - slots.begin()));
    if (nulls != slots.end()) code_.store_constant(registers_.frame, nulls_offset, 0);
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      if (!slots[slot].value) continue;
      const Typed& value = *slots[slot].value;
      const auto store = [&] {
        expressions_.value(value);
        code_.store(registers_.frame, offset_of(slot), expressions_.temporary(0));
      };
      if (!can_be_null(value)) {
        store();
        continue;
      }
      or_null(store, [&] { mark_null(registers_.frame, nulls_offset, slot); });
    }
  }

  void answer(std::int32_t value) {
    code_.constant(BPF_REG_0, value);
    code_.exit();
  }

  std::optional<Function> finish() {
    code_.bind(refused_);
    count(LOSS_REFUSED);
    if (code_.is_used(unreadable_)) {
      code_.jump(skip_);
      code_.bind(unreadable_);
      count(LOSS_UNREADABLE);
    }
    code_.bind(skip_);
    answer(0);
    auto instructions = code_.finish();
    if (!instructions || expressions_.stack_is_full()) return std::nullopt;
    return Function{std::move(*instructions)};
  }

 private:
  static bool stores_immediate(const Write& write) {
    return write.value->op == Op::constant && fits_immediate(write.value->value);
  }

  // What `compute` emits, and where that is null what `otherwise` does; unreadable is counted, and null.
  template <typename Compute, typename Otherwise>
  void or_null(const Compute& compute, const Otherwise& otherwise) {
    const Label null = code_.label();
    const Label unreadable = code_.label();
    const Label done = code_.label();
    expressions_.on_null(null, unreadable);
    compute();
    code_.jump(done);
    code_.bind(unreadable);
    if (code_.is_used(unreadable)) count(LOSS_UNREADABLE);
    code_.bind(null);
    otherwise();
    code_.bind(done);
    expressions_.on_null(skip_, unreadable_);
  }

  void write(const Write& write) {
    if (write.null_bit < 0) return store(write);
    or_null([&] { store(write); },
            [&] {
              expressions_.zero(registers_.out, static_cast<std::int32_t>(write.offset), write.size);
              mark_null(registers_.out, nulls_offset_, static_cast<std::size_t>(write.null_bit));
            });
  }

  void store(const Write& write) {
    const Typed& value = *write.value;
    const auto offset = static_cast<std::int32_t>(write.offset);
    if (value.type.kind == TypeKind::text) return expressions_.text(value, registers_.out, offset, write.size);
    if (value.type.kind == TypeKind::stack) return expressions_.stack(value, registers_.out, offset, write.size);
    if (write.refuse_negative && value.op == Op::constant && value.value < 0) return code_.jump(refused_);
    if (stores_immediate(write)) {
      return code_.store_constant(registers_.out, offset, static_cast<std::int32_t>(value.value));
    }
    expressions_.value(value);
    const Register result = expressions_.temporary(0);
    if (write.refuse_negative && value.type.is_signed) code_.jump_if_constant(BPF_JSLT, result, 0, refused_);
    code_.store(registers_.out, offset, result);
  }

  void mark_null(Register base, std::int32_t nulls_offset, std::size_t bit) {
    const Register nulls = expressions_.temporary(0);
    const Register mask = expressions_.temporary(1);
    code_.load(nulls, base, nulls_offset, 8);
    code_.constant(mask, static_cast<std::int64_t>(std::uint64_t{1} << bit));
    code_.alu(BPF_OR, nulls, mask);
    code_.store(base, nulls_offset, nulls);
  }

  void count(loss reason) {
    code_.constant(BPF_REG_0, 1);
    code_.add_atomically(registers_.ledger, 8 * (static_cast<std::int32_t>(LEDGER_LOST_FIRST) + reason), BPF_REG_0);
  }

  // 1 + the first bucket whose bound is not below the value in temporary 0.
  void bucket(const std::vector<std::int64_t>& bounds, bool is_signed) {
    const auto positive = std::find_if(bounds.begin(), bounds.end(), [](std::int64_t bound) { return bound >= 0; });
    // Nothing unsigned is in a bucket below zero.
    search(bounds, is_signed ? 0 : static_cast<std::size_t>(positive - bounds.begin()), bounds.size(), is_signed);
  }

  void search(const std::vector<std::int64_t>& bounds, std::size_t low, std::size_t high, bool is_signed) {
    if (low == high) return answer(1 + static_cast<std::int32_t>(low));
    const std::size_t middle = low + (high - low) / 2;
    const Label upper = code_.label();
    const Register value = expressions_.temporary(0);
    const std::uint8_t above = is_signed ? BPF_JSGT : BPF_JGT;
    if (fits_immediate(bounds[middle])) {
      code_.jump_if_constant(above, value, static_cast<std::int32_t>(bounds[middle]), upper);
    } else {
      code_.constant(expressions_.temporary(1), bounds[middle]);
      code_.jump_if(above, value, expressions_.temporary(1), upper);
    }
    search(bounds, low, middle, is_signed);
    code_.bind(upper);
    search(bounds, middle + 1, high, is_signed);
  }

  Assembler code_;
  Registers registers_;
  ExpressionEmitter expressions_;
  Label skip_ = 0;
  Label unreadable_ = 0;
  Label refused_ = 0;
  std::int32_t nulls_offset_ = 0;
};

Needs filter_needs(const Lowered& instrument) {
  Needs needs;
  if (instrument.where) needs = needs_of(*instrument.where);
  needs.calls = needs.calls || instrument.sample_every > 1;
  return needs;
}

}  // namespace

std::optional<Function> emit_evaluate(const Lowered& instrument, Filter filter) {
  Needs needs;
  if (filter == Filter::here) needs = filter_needs(instrument);
  const auto add = [&](const Write& write) {
    needs = needs | needs_of(*write.value);
    needs.ledger = needs.ledger || write.refuse_negative;
  };
  if (instrument.value) add(*instrument.value);
  for (const Write& write : instrument.writes) add(write);
  needs.ledger = needs.ledger || truncates(instrument);
  FunctionEmitter function(needs, true);
  if (filter == Filter::here) function.filter(instrument);
  function.body(instrument);
  return function.finish();
}

std::optional<Function> emit_admit(const Lowered& instrument) {
  FunctionEmitter function(filter_needs(instrument), false);
  function.filter(instrument);
  function.answer(1);
  return function.finish();
}

std::optional<Function> emit_capture(const std::vector<Slot>& slots) {
  Needs needs{.frame = true};
  for (const Slot& slot : slots) {
    if (slot.value) needs = needs | needs_of(*slot.value);
  }
  FunctionEmitter function(needs, false);
  function.capture(slots);
  function.answer(1);
  return function.finish();
}

}  // namespace diagnose::compile
