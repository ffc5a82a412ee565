// The typed front end: expressions of a spec -> one BPF function that evaluates them.  parse -> check -> lower -> emit.
//
// The function's contract with the stencils in bpf/ (it fills their hole `evaluate`):
//   r1 = struct pt_regs *      registers at the site; 0 where a call was left by an error, or ends with another one
//   r2 = struct frame *        the call's frame, or 0 in a call event (never touched there)
//   r3 = out                   for a fold: struct evaluation on the caller's stack; for a record: the payload in the
//   ring r4 = u64 *ledger           for counting LOSS_UNREADABLE and LOSS_REFUSED r0 : 0 skip (where is false, a value
//   is null, not sampled), else 1; a histogram returns 1 + bucket
// It may use r0-r9 and its own stack.
#pragma once

#include <cstdint>
#include <linux/bpf.h>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "event/layout.h"
#include "spec/spec.h"
#include "target/debug_info.h"

namespace diagnose::compile {

// When an instrument runs.
enum class Phase { call, return_, error, end };  // `end`: at a return and at an error

// How arguments and results are passed.
// Go's ABIInternal: rax, rbx, rcx, rdi, rsi, r8, r9, r10, r11; results in the same.  None: a place within a function,
// where no register is known to hold an argument.
enum class Abi { system_v, go, none };

// What a value is; widths and signs as in C.
enum class TypeKind {
  integer,  // and pointers, enumerators
  boolean,
  floating,  // its bits; nothing is computed with them
  text,
  stack,    // return addresses, `text_bytes` of them
  nothing,  // null, void
  object,   // a struct, an array, ..: no value by itself
  unknown,  // what only debug information tells, while there is no target
};
struct Type {
  TypeKind kind = TypeKind::integer;
  std::uint8_t bytes = 8;  // of an integer: 1, 2, 4, 8
  bool is_signed = true;
  bool is_time = false;          // nanoseconds, shown in seconds
  std::uint32_t text_bytes = 0;  // of a text, with its NUL; of a stack
};

// One emitted function.  No calls but to BPF helpers; no maps.
struct Function {
  std::vector<bpf_insn> instructions;
};

// One entry of a frame's `saved`: a value of the call that a return event needs.
struct Saved {
  std::string expression;  // canonical text, for explain
  Type type;
};

// How one instrument is evaluated.
struct Evaluation {
  Phase phase = Phase::call;
  bool fold = true;                // false: a record through the ring
  bool uses_result = false;        // it may be unknown: at a jump to another function, or overwritten
  bool uses_result_words = false;  // others of its registers than the first, which sites at callers do not know
  bool uses_depth = false;         // how deep the call is nested
  bool needs_frame = false;        // elapsed, saved values, or a return event
  bool unit_is_time = false;       // the value is nanoseconds
  bool value_is_signed = true;
  Function admit;         // records only: (ctx, frame, 0, ledger) -> 0|1, run before room is reserved
  Function evaluate;      // fold: value, key, bucket; record: fills the payload
  event::Layout key;      // labels (fold), in struct evaluation::key
  event::Layout payload;  // records: labels as in `key`, then `value` if any, then a log's fields
  // Records: where the `key.size` bytes of the labels begin in the payload (0, or 8 behind a log's word of null bits),
  // and the column of the value; -1 if there is none.
  std::uint32_t payload_key_offset = 0;
  std::int32_t payload_value_offset = -1;
  std::vector<std::int64_t> bounds;  // histogram: inclusive upper bounds in the value's own unit, ascending
  std::vector<double> shown_bounds;  // the same as shown (`le`): seconds for times
};

// All instruments of one probe.
struct ProbeEvaluation {
  std::vector<Evaluation> instruments;  // in the order of the spec
  std::vector<Saved> saved;             // slots of the frame, shared by the instruments
  std::optional<Function> capture;      // (ctx, frame, 0, ledger) -> 1: fills frame->saved at the call; nullopt if none
  // Registers (bit = x86 encoding) that are read at the call: those of arguments, and bases of what lies in memory.
  std::uint16_t entry_registers = 0;
  // Some instrument reads others of a result's registers than the first: known at exits and to a trampoline, not at
  // callers.
  bool uses_result_words = false;
  bool uses_depth = false;  // some instrument reads how deep a call is nested
  // Memory of the target is read at the call, or at its end.
  bool reads_memory_at_call = false;
  bool reads_memory_at_end = false;
  // Some function brings in memory that is not resident: the programs must be loaded as sleepable ones.
  bool may_sleep = false;
  // Places of how many kinds it serves (forms.h): of more than one its functions ask the breakpoint's cookie which.
  std::size_t forms = 1;
};

// A global that is named by its module.
struct OtherGlobal {
  std::string name;  // as Names::others has it
  target::TypeId type = target::no_type;
  // Of the probe's own module: where it is linked to, the same in every process.
  std::optional<LinkAddress> own = {};
  // Of another: where it is in the one process that the probe is of, for as long as that has the memory that it had:
  // `layout` is target::ProcFs::layout().
  MemoryAddress address{};
  std::uint64_t layout = 0;
  std::string why = {}, mend = {};  // if it cannot be had
};

// The function, or other place, that a probe measures.
struct Subject {
  Abi abi = Abi::system_v;
  // Borrowed for the call.  Null: there is no debug information, and names beyond the built-in ones are faults.
  const target::DebugInfo* debug = nullptr;
  std::size_t place = 0;  // index in debug->places
  // Where the breakpoint at the entry stands, once it is placed: globals are reached from there.  Without it the code
  // of globals is wrong, but everything else about the answer holds.
  std::optional<LinkAddress> site = {};
  bool may_sleep = false;                    // the kernel takes sleepable programs (with uprobe_multi, 6.6)
  std::span<const OtherGlobal> others = {};  // borrowed for the call; types are those of `debug`
  // The same probe at its other places; borrowed for the call.  Null: there are none.  A number that is signed there is
  // signed here too, and one that does not fit is counted as LOSS_REFUSED: a column has one type.
  const ProbeEvaluation* like = nullptr;
};

// What expressions mention that only debug information can tell, for target::DescribeRequest.
struct Names {
  bool any = false;                  // without debug information the probe cannot be compiled
  bool typed = false;                // arguments by position, or the result: debug information would tell their types
  std::vector<std::string> members;  // every identifier
  std::vector<std::string> globals, types, constants;
  std::vector<std::string> others;  // globals by their module: "libx.so!name"
};
[[nodiscard]] Names names_of(const spec::Probe& probe);

// Checks and compiles every instrument of `probe`; all faults at once, each with the place of the expression (column
// advanced into it).
// Names without debug information: arg0..arg5 (arg8 in Go), result, elapsed, error, start, now, depth, pid, tid, uid,
// comm, cpu, cgroup, caller, ustack, true, false, null.
struct Evaluated {
  ProbeEvaluation probe;
  std::vector<spec::Fault> faults;  // empty: `probe` is usable
};
[[nodiscard]] Evaluated evaluate(const spec::Probe& probe, const Subject& subject = {});

// The faults that can be told without the target: names that debug information might know are none.
[[nodiscard]] std::vector<spec::Fault> check(const spec::Probe& probe);

// One instruction a line, with its number and jump targets, in the kernel's own syntax ("r0 = *(u64 *)(r1 +112)").
// Stable text: golden-tested, printed by `explain --bpf`.
[[nodiscard]] std::string listing(const std::vector<bpf_insn>& instructions);

}  // namespace diagnose::compile
