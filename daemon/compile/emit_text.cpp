// Texts: into a column, against a literal, and how long they are.
#include <algorithm>
#include <cstring>

#include "bpf/contract.h"
#include "compile/emit_expression.h"
#include "compile/kernel_types.h"

namespace diagnose::compile {
namespace {

// Where a text's own words are put while they are looked at, behind the object's address.
constexpr std::int32_t header_place = -work_bytes;
constexpr std::int32_t object_place = -8;
// Where a text was read from, and what lies behind it, once it has been.
constexpr std::int32_t source_place = -8;
constexpr std::int32_t behind_place = -16;
// Of a counted text: its length, while its characters are read.
constexpr std::int32_t length_place = -16;

constexpr std::uint32_t file_name_bytes = 256;  // NAME_MAX, and its NUL

bool is_counted(const Typed& text) {
  return text.op == Op::counted_text || text.op == Op::laid_out_text;
}

}  // namespace

bool may_be_truncated(const Typed& text, std::uint32_t size) {
  switch (text.op) {
    case Op::string:
    case Op::counted_text:
    case Op::laid_out_text:
      return text.value == 0 || text.value >= size;
    case Op::exe:
      return size < file_name_bytes;
    case Op::choose:
      return may_be_truncated(*text.children[1], size) || may_be_truncated(*text.children[2], size);
    default:
      return false;
  }
}

void ExpressionEmitter::begin_truncated(bool mark) {
  truncated_place_ = -work_bytes - 8 * static_cast<std::int32_t>(++spilled_);
  marks_truncated_ = mark;
  code_.store_constant(BPF_REG_10, truncated_place_, 0);
}

void ExpressionEmitter::add_truncated() {
  const Assembler::Label whole = code_.label();
  code_.load(BPF_REG_1, BPF_REG_10, truncated_place_, 8);
  code_.jump_if_constant(BPF_JEQ, BPF_REG_1, 0, whole);
  code_.add_atomically(registers_.ledger, 8 * static_cast<std::int32_t>(LEDGER_TRUNCATED), BPF_REG_1);
  code_.bind(whole);
}

void ExpressionEmitter::truncated(Register base, std::int32_t offset, std::uint32_t size) {
  code_.load(BPF_REG_1, BPF_REG_10, truncated_place_, 8);
  code_.alu_constant(BPF_ADD, BPF_REG_1, 1);
  code_.store(BPF_REG_10, truncated_place_, BPF_REG_1);
  if (marks_truncated_) code_.store_byte(base, offset + static_cast<std::int32_t>(size) - 1, TEXT_TRUNCATED);
}

// The helper has put a NUL over the last byte that it read, and says the same of a text that ends there.
void ExpressionEmitter::look_behind(BpfCall read, Register base, std::int32_t offset, std::uint32_t size) {
  const Assembler::Label whole = code_.label();
  const Assembler::Label goes_on = code_.label();
  code_.jump_if_constant(BPF_JNE, BPF_REG_0, static_cast<std::int32_t>(size), whole);
  code_.load(BPF_REG_3, BPF_REG_10, source_place, 8);
  code_.alu_constant(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(size) - 1);
  code_.move(BPF_REG_1, BPF_REG_10);
  code_.alu_constant(BPF_ADD, BPF_REG_1, behind_place);
  code_.constant(BPF_REG_2, 1);
  code_.call(read);
  code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, goes_on);  // not known to end
  code_.load(BPF_REG_1, BPF_REG_10, behind_place, 1);
  code_.jump_if_constant(BPF_JEQ, BPF_REG_1, 0, whole);
  code_.bind(goes_on);
  truncated(base, offset, size);
  code_.bind(whole);
}

// Two numbers, of which either may call helpers.
void ExpressionEmitter::counted(const Typed& node) {
  const Operands at = operands(*node.children[0], *node.children[1], 0, false);
  code_.move(BPF_REG_3, at.left);
  code_.move(BPF_REG_2, at.right);
}

// The text's own words with one read.
void ExpressionEmitter::laid_out(const Typed& node) {
  const DebugType::Layout& layout = *node.layout;
  std::uint32_t low = std::min(layout.data_offset, layout.size_offset);
  std::uint32_t high = std::max(layout.data_offset, layout.size_offset) + 8;
  if (layout.has_short) {
    low = std::min(low, layout.short_at);
    high = std::max(high, layout.short_at + 1);
  }
  const auto place_of = [&](std::uint32_t offset) { return header_place + static_cast<std::int32_t>(offset - low); };
  address(*node.children[0]);
  if (layout.has_short) code_.store(BPF_REG_10, object_place, BPF_REG_3);
  if (low != 0) code_.alu_constant(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(low));
  code_.move(BPF_REG_1, BPF_REG_10);
  code_.alu_constant(BPF_ADD, BPF_REG_1, header_place);
  code_.constant(BPF_REG_2, high - low);
  code_.call(BpfCall::probe_read_user);
  code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
  const Assembler::Label done = code_.label();
  if (layout.has_short) {
    const Assembler::Label is_long = code_.label();
    code_.load(BPF_REG_2, BPF_REG_10, place_of(layout.short_at), 1);
    code_.move(BPF_REG_1, BPF_REG_2);
    code_.alu_constant(BPF_AND, BPF_REG_1, layout.short_mask);
    code_.jump_if_constant(layout.short_if_clear ? BPF_JNE : BPF_JEQ, BPF_REG_1, 0, is_long);
    if (layout.short_shift != 0) code_.alu_constant(BPF_RSH, BPF_REG_2, layout.short_shift % 64);
    code_.load(BPF_REG_3, BPF_REG_10, object_place, 8);
    code_.alu_constant(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(layout.short_data_offset));
    code_.jump(done);
    code_.bind(is_long);
  }
  code_.load(BPF_REG_3, BPF_REG_10, place_of(layout.data_offset), 8);
  code_.load(BPF_REG_2, BPF_REG_10, place_of(layout.size_offset), 8);
  code_.bind(done);
}

void ExpressionEmitter::zero(Register base, std::int32_t offset, std::uint32_t size) {
  for (std::uint32_t at = 0; at < size; at += 8) code_.store_constant(base, offset + static_cast<std::int32_t>(at), 0);
}

void ExpressionEmitter::text(const Typed& node, Register base, std::int32_t offset, std::uint32_t size) {
  if (node.op == Op::null_) return code_.jump(null_);
  if (node.op == Op::text) return literal(node.text, base, offset, size);
  if (node.op == Op::exe) return executable(base, offset, size);
  if (node.op == Op::choose) {
    const Assembler::Label otherwise = code_.label();
    const Assembler::Label done = code_.label();
    branch(*node.children[0], false, otherwise);
    text(*node.children[1], base, offset, size);
    code_.jump(done);
    code_.bind(otherwise);
    text(*node.children[2], base, offset, size);
    return code_.bind(done);
  }
  const bool is_comm = node.op == Op::comm;
  const bool counts_truncated = truncated_place_ != 0 && may_be_truncated(node, size);
  const auto destination = [&] {
    code_.move(BPF_REG_1, base);
    if (offset != 0) code_.alu_constant(BPF_ADD, BPF_REG_1, offset);
  };
  if (is_counted(node)) {
    const auto room = static_cast<std::int32_t>(size - 1);
    const std::int32_t most = node.value > 0 ? std::min(room, static_cast<std::int32_t>(node.value)) : room;
    const Assembler::Label fits = code_.label();
    const Assembler::Label done = code_.label();
    if (node.op == Op::counted_text) counted(node);
    if (node.op == Op::laid_out_text) laid_out(node);
    zero(base, offset, size);
    if (counts_truncated) code_.store(BPF_REG_10, length_place, BPF_REG_2);
    code_.jump_if_constant(BPF_JLE, BPF_REG_2, most, fits);
    code_.constant(BPF_REG_2, most);
    code_.bind(fits);
    code_.jump_if_constant(BPF_JEQ, BPF_REG_2, 0, done);
    destination();
    code_.call(BpfCall::probe_read_user);
    code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
    if (counts_truncated) {
      code_.load(BPF_REG_1, BPF_REG_10, length_place, 8);
      code_.jump_if_constant(BPF_JLE, BPF_REG_1, most, done);
      truncated(base, offset, size);
    }
    return code_.bind(done);
  }
  if (!is_comm) address(*node.children[0]);
  if (counts_truncated) code_.store(BPF_REG_10, source_place, BPF_REG_3);
  zero(base, offset, size);
  destination();
  // Of an array that its text may fill: no byte behind it decides anything.
  const std::uint32_t bound =
      node.op == Op::string && node.value > 0 ? static_cast<std::uint32_t>(node.value) + 1 : size;
  code_.constant(BPF_REG_2, std::min(size, bound));
  code_.call(is_comm ? BpfCall::get_current_comm : BpfCall::probe_read_user_str);
  if (!is_comm) code_.jump_if_constant(BPF_JSLT, BPF_REG_0, 0, unreadable_);
  if (counts_truncated) look_behind(BpfCall::probe_read_user, base, offset, size);
}

void ExpressionEmitter::literal(const std::string& characters, Register base, std::int32_t offset, std::uint32_t size) {
  for (std::uint32_t at = 0; at < size; at += 8) {
    std::int64_t word = 0;
    // The last byte is the NUL's.
    const std::size_t end = std::min<std::size_t>(characters.size(), size - 1);
    if (at < end) std::memcpy(&word, characters.data() + at, std::min<std::size_t>(8, end - at));
    const std::int32_t place = offset + static_cast<std::int32_t>(at);
    if (fits_immediate(word)) {
      code_.store_constant(base, place, static_cast<std::int32_t>(word));
    } else {
      code_.constant(temporary(0), word);
      code_.store(base, place, temporary(0));
    }
  }
}

// Empty for a process that has none any more.
void ExpressionEmitter::executable(Register base, std::int32_t offset, std::uint32_t size) {
  const auto way = way_to_executable();
  const Assembler::Label done = code_.label();
  const Assembler::Label none = code_.label();
  if (way) {
    code_.call(BpfCall::get_current_task);
    code_.move(BPF_REG_3, BPF_REG_0);
    for (const std::uint32_t further : *way) {
      if (further != 0) code_.alu_constant(BPF_ADD, BPF_REG_3, static_cast<std::int32_t>(further));
      code_.move(BPF_REG_1, BPF_REG_10);
      code_.alu_constant(BPF_ADD, BPF_REG_1, object_place);
      code_.constant(BPF_REG_2, 8);
      code_.call(BpfCall::probe_read_kernel);
      code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, none);
      code_.load(BPF_REG_3, BPF_REG_10, object_place, 8);
      code_.jump_if_constant(BPF_JEQ, BPF_REG_3, 0, none);
    }
    zero(base, offset, size);
    code_.move(BPF_REG_1, base);
    if (offset != 0) code_.alu_constant(BPF_ADD, BPF_REG_1, offset);
    code_.constant(BPF_REG_2, size);
    code_.call(BpfCall::probe_read_kernel_str);
    if (truncated_place_ != 0) look_behind(BpfCall::probe_read_kernel, base, offset, size);
    code_.jump(done);
  }
  code_.bind(none);
  zero(base, offset, size);
  code_.bind(done);
}

// Return addresses, as the frame pointers tell (kernel: get_perf_callchain()).
void ExpressionEmitter::stack(const Typed& node, Register base, std::int32_t offset, std::uint32_t size) {
  constexpr std::int32_t of_user = 1 << 8;  // BPF_F_USER_STACK
  if (node.op == Op::null_) return code_.jump(null_);
  zero(base, offset, size);
  code_.move(BPF_REG_1, registers_.ctx);
  code_.move(BPF_REG_2, base);
  if (offset != 0) code_.alu_constant(BPF_ADD, BPF_REG_2, offset);
  code_.constant(BPF_REG_3, size);
  code_.constant(BPF_REG_4, of_user);
  code_.call(BpfCall::get_stack);
  code_.jump_if_constant(BPF_JSLT, BPF_REG_0, 0, unreadable_);
}

// Jumps if the `size` bytes at the end of the stack are not the literal; with `whole` followed by zeros.
void ExpressionEmitter::differ(const std::string& literal, std::uint32_t size, bool whole, Assembler::Label differs) {
  const std::int32_t place = -static_cast<std::int32_t>(size);
  for (std::uint32_t at = 0; at < size; at += 8) {
    std::int64_t word = 0;
    const std::size_t bytes = at < literal.size() ? std::min<std::size_t>(8, literal.size() - at) : 0;
    if (!whole && bytes == 0) break;
    std::memcpy(&word, literal.data() + std::min<std::size_t>(at, literal.size()), bytes);
    code_.load(BPF_REG_1, BPF_REG_10, place + static_cast<std::int32_t>(at), 8);
    if (!whole && bytes < 8) code_.alu_constant(BPF_LSH, BPF_REG_1, static_cast<std::int32_t>(64 - 8 * bytes));
    if (!whole && bytes < 8) word = static_cast<std::int64_t>(static_cast<std::uint64_t>(word) << (64 - 8 * bytes));
    if (fits_immediate(word)) {
      code_.jump_if_constant(BPF_JNE, BPF_REG_1, static_cast<std::int32_t>(word), differs);
    } else {
      code_.constant(BPF_REG_2, word);
      code_.jump_if(BPF_JNE, BPF_REG_1, BPF_REG_2, differs);
    }
  }
}

void ExpressionEmitter::compare_text(const Typed& node, bool when, Assembler::Label target) {
  const Typed& left = *node.children[0];
  const std::string& literal = node.text;
  const auto characters = static_cast<std::uint32_t>(literal.size());
  const bool starts = node.op == Op::text_starts;
  const bool jump_if_equal = (node.op != Op::text_unequal) == when;
  const Assembler::Label behind = code_.label();
  const Assembler::Label differs = jump_if_equal ? behind : target;
  if (left.op == Op::null_) return code_.jump(null_);
  if (is_counted(left)) {
    // Told by its length first; then exactly as many characters are read.
    const std::uint32_t size = (characters + 7U) & ~7U;
    if (left.op == Op::counted_text) counted(left);
    if (left.op == Op::laid_out_text) laid_out(left);
    if (left.value > 0) {
      const Assembler::Label fits = code_.label();
      code_.jump_if_constant(BPF_JLE, BPF_REG_2, static_cast<std::int32_t>(left.value), fits);
      code_.constant(BPF_REG_2, left.value);
      code_.bind(fits);
    }
    code_.jump_if_constant(starts ? BPF_JLT : BPF_JNE, BPF_REG_2, static_cast<std::int32_t>(characters), differs);
    if (characters > 0) {
      code_.store_constant(BPF_REG_10, -8, 0);
      code_.move(BPF_REG_1, BPF_REG_10);
      code_.alu_constant(BPF_ADD, BPF_REG_1, -static_cast<std::int32_t>(size));
      code_.constant(BPF_REG_2, characters);
      code_.call(BpfCall::probe_read_user);
      code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
      differ(literal, size, !starts, differs);
    }
  } else {
    // One character more than the literal has, and a NUL: enough to see that the target's text is longer.
    auto size = static_cast<std::uint32_t>((literal.size() + 2 + 7) & ~std::size_t{7});
    if (left.op == Op::comm || size > left.type.text_bytes) size = left.type.text_bytes;
    text(left, BPF_REG_10, -static_cast<std::int32_t>(size), size);
    // Bytes behind the literal's NUL are zero only if the target's text ends there as well, or was cut exactly there.
    differ(literal, size, !starts, differs);
  }
  if (jump_if_equal) code_.jump(target);
  code_.bind(behind);
}

// In steps of what the stack has room for: a helper that only counts there is none.
void ExpressionEmitter::text_length(const Typed& node, Register to) {
  constexpr std::int32_t step = work_bytes - 1;  // characters, and a NUL behind them
  static_assert(text_length_max % step == 0);
  const Assembler::Label done = code_.label();
  constexpr std::int64_t longest = text_length_max;
  const auto most = static_cast<std::int32_t>(node.value > 0 ? std::min(node.value, longest) : longest);
  const std::int32_t counted_place = -work_bytes - 8 * static_cast<std::int32_t>(spilled_ + 2);
  const std::int32_t address_place = counted_place + 8;
  if (spilled_ + 2 > spills_max) {
    stack_is_full_ = true;
    return;
  }
  address(*node.children[0]);
  code_.store(BPF_REG_10, address_place, BPF_REG_3);
  for (std::int32_t at = 0; at < most; at += step) {
    const std::int32_t now = std::min(step, most - at);
    code_.load(BPF_REG_3, BPF_REG_10, address_place, 8);
    if (at > 0) code_.alu_constant(BPF_ADD, BPF_REG_3, at);
    code_.move(BPF_REG_1, BPF_REG_10);
    code_.alu_constant(BPF_ADD, BPF_REG_1, -work_bytes);
    code_.constant(BPF_REG_2, now + 1);
    code_.call(BpfCall::probe_read_user_str);
    code_.jump_if_constant(BPF_JSLT, BPF_REG_0, 0, unreadable_);
    code_.alu_constant(BPF_ADD, BPF_REG_0, at - 1);
    code_.store(BPF_REG_10, counted_place, BPF_REG_0);
    code_.jump_if_constant(BPF_JNE, BPF_REG_0, at + now, done);
  }
  // Not over yet.  An array may be full; of any other text the length is not known.
  if (node.value == 0) {
    code_.load(BPF_REG_3, BPF_REG_10, address_place, 8);
    code_.alu_constant(BPF_ADD, BPF_REG_3, most);
    code_.move(BPF_REG_1, BPF_REG_10);
    code_.alu_constant(BPF_ADD, BPF_REG_1, -8);
    code_.constant(BPF_REG_2, 1);
    code_.call(BpfCall::probe_read_user);
    code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, unreadable_);
    code_.load(BPF_REG_0, BPF_REG_10, -8, 1);
    code_.jump_if_constant(BPF_JNE, BPF_REG_0, 0, null_);
  }
  code_.bind(done);
  code_.load(to, BPF_REG_10, counted_place, 8);
}

}  // namespace diagnose::compile
