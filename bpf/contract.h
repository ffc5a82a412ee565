// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the kernel's side and the daemon's side agree on, byte for byte.  This is the only header that both worlds
// include.  Fixed widths, padding by name, unit and clock in the name of each field.  Clocks: `*_ns` is CLOCK_MONOTONIC
// (bpf_ktime_get_ns) unless the name says otherwise.
#ifndef DIAGNOSE_BPF_CONTRACT_H
#define DIAGNOSE_BPF_CONTRACT_H

#ifdef __bpf__
#include <linux/types.h>
#define CONTRACT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#define CONTRACT_TAIL(type, name) type name[] /* ISO C++ has no flexible array members */
typedef __u8 contract_u8;
typedef __u16 contract_u16;
typedef __u32 contract_u32;
typedef __u64 contract_u64;
typedef __s64 contract_s64;
#else
#include <cstdint>
#define CONTRACT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#define CONTRACT_TAIL(type, name) static_assert(alignof(type) > 0, #name)
using contract_u8 = std::uint8_t;
using contract_u16 = std::uint16_t;
using contract_u32 = std::uint32_t;
using contract_u64 = std::uint64_t;
using contract_s64 = std::int64_t;
#endif

// ---- the ledger: one per-CPU element a probe, an array of 64-bit words ----------------------------------------------
// The first words are the same for every probe; the words of each instrument without labels follow at a base that the
// compiler hands out.  All are counted with atomic adds (programs are preemptible).
enum ledger_word {
	LEDGER_HITS = 0,   // calls admitted (enabled, before the deadline, within `N hits`)
	LEDGER_TRUNCATED,  // texts of events that were kept, of which there was more than there is room for
	LEDGER_LOST_FIRST, // then one word per enum loss
};

// Why an event was not kept.  The order is ABI between bpf/ and daemon/event/.
enum loss {
	LOSS_RING_FULL = 0,	 // no room for a record
	LOSS_FRAMES_FULL,	 // a call nested deeper than FRAMES_PER_THREAD
	LOSS_FRAMES_UNAVAILABLE, // no memory for the thread's frames
	LOSS_LEFT,		 // a call still open when its thread ended
	LOSS_UNREADABLE,	 // user memory that could not be read
	LOSS_REFUSED,		 // a value that the instrument refuses (negative for a counter)
	LOSS_CONTENDED,		 // a gauge's minimum or maximum, retried too often
	LOSS_OVERFLOW,		 // went to the series `__other__`, and that was not possible either
	LOSS_RESULT,		 // `result` where it is not known: at a jump to another function, or overwritten
	LOSS_CALLER,		 // returns are seen at the callers, and this caller was not known yet
	LOSS_RATE,		 // a record over the probe's `limits.rate`
	LOSS_COUNT,
};

enum {
	LEDGER_FIXED_WORDS = (int)LEDGER_LOST_FIRST + (int)LOSS_COUNT,
	FRAMES_PER_THREAD = 64,	 // most depth of one probe's frames on one thread; deeper is LOSS_FRAMES_FULL
	SAVED_MAX = 16,		 // values of the call kept for the return, 8 bytes each
	KEY_MAX = 128,		 // bytes of a label key that the kernel folds; longer ones go through the ring
	RING_BYTES = 4 << 20,	 // shared by all probes; the reader maps it twice, so it weighs double in its memory
	PARENTS_MAX = 16384,	 // processes whose children are watched; with more, those of every process are
	PROCESSES_MAX = 65536,	 // in the map `processes`, of all probes; memory is taken as they come
	FRAMES_MAX = 65536,	 // in the hash table of one probe's frames; memory is taken as they come
	STACK_FRAMES_MAX = 8192, // the same where an exception looks at all of them
	CALLERS_MAX = 4096,	 // in the map `callers` of one probe
	AT_HAND_BITS = 10,	 // 2^10 slots in front of it: the map `callers_at_hand`
	WORDS_MAX = 130,	 // 64-bit words of one folded series: sum and 128 buckets, with one to spare
};

// ---- control: one element a probe, written by the daemon
// -------------------------------------------------------------
struct control {
	contract_u64
	    deadline_jiffies;	   // nothing is measured after it; the cheapest clock that a tracing program can read
	contract_s64 hits_left;	   // calls still admitted; meaningful if `limit_hits`
	contract_s64 ends_left;	   // calls still to be finished; at 0 RECORD_SPENT is sent
	contract_u32 enabled;	   // 0: measure nothing, at once
	contract_u32 limit_hits;   // 1: `hits_left` counts down
	contract_u32 probe;	   // number of the probe in this daemon, in every record
	contract_u32 filter;	   // 1: only processes in the map `processes`
	contract_u32 callers_only; // 1: the exits are not probed, so a call from an unknown caller is lost
	contract_u32 rate_shift;   // records are counted in windows of 2^rate_shift ticks
	contract_u32 rate_budget;  // records in one window; more are LOSS_RATE
	contract_u32 reserved;	   // zero
	contract_u64 rate_spent;   // the window's number in the upper half, its records in the lower
};
CONTRACT_SIZE(control, 64);

// ---- processes: shared by all probes, whose members are in `filter`
// -------------------------------------------------------------------
// The key is control.probe << 32 | tgid (initial pid namespace); the value means nothing.

// ---- callers: those from which calls come, by
// ((return address - address of the entry's breakpoint) & CALLER_DISTANCE_MASK) | number of the function << 48
// -----------------------------------------------------------------------------------------------------
enum caller_state {
	CALLER_KNOWN = 1, // there is a breakpoint behind the call
	CALLER_REPORTED,  // RECORD_CALLER was sent
};
#define CALLER_DISTANCE_MASK ((1ULL << 48) - 1)

// ---- gauges: shared by all CPUs
// ---------------------------------------------------------------------------------------
struct gauge {
	contract_u64 value; // for a minimum or maximum: the value ^ CONSTANT_GAUGE_MASK, so that larger is more extreme
	contract_u64 updates; // 0: never set
};
CONTRACT_SIZE(gauge, 16);

// ---- clock: the kernel's ticks beside its monotonic clock, read at one moment
// -----------------------------------------
struct ticks {
	contract_u64 jiffies;
	contract_u64 time_ns;
};
CONTRACT_SIZE(ticks, 16);

// ---- cookies: what a breakpoint tells its program
// -------------------------------------------------------------------------------------
//   bits 0..15   CFA - rsp at the breakpoint, bytes: 8 at an entry or a plain `ret`, 0 right behind a call
//   bits 16..31  by program:
//     on_call            the number of the form that holds there (daemon/compile/forms.h)
//     on_enter           the function's number in the probe, with the flags FUNCTION_* that hold
//     on_caller          rip - return address, bytes, or CALLER_ANY (a trampoline's: do not compare it)
//     on_unwind          enum unwind_kind
//   bits 32..63  0, or 1 + index in the map `sites` of a struct site that says more; it overrides bits 0..15
enum {
	COOKIE_DETAIL_SHIFT = 16,
	COOKIE_SITE_SHIFT = 32,
	COOKIE_FIELD_MASK = 0xffff,   // of bits 0..15, and of bits 16..31 once shifted
	FUNCTION_ANY_CALLER = 0x8000, // beside the number: its callers are of no interest
	FUNCTION_JUMPS = 0x4000,      // the same: it may be left by a jump, and so entered again in its own frame
	FUNCTION_NUMBER_MASK = 0x3fff,
	CALLER_ANY = 0xffff,
};

// Who leaves frames without a return, and how the limit is found.  Frames with CFA <= limit are left.
enum unwind_kind {
	UNWIND_SET_IP = 0,  // libgcc's _Unwind_SetIP(context, ..): context->cfa
	UNWIND_BEGIN_CATCH, // its own CFA: the catching function calls it
	UNWIND_LONGJMP,	    // glibc's longjmp(buffer, ..): buffer[6], mangled
	UNWIND_THREAD_EXIT, // every frame of the thread
};

// ---- sites
// -------------------------------------------------------------------------------------------------------------
enum site_kind {
	SITE_ENTRY = 0,
	SITE_EXIT,	    // a `ret`
	SITE_TAIL,	    // a jump that always leaves the function
	SITE_TAIL_IF,	    // a conditional jump that leaves it when `condition` holds
	SITE_TAIL_REGISTER, // `jmp *%reg`: leaves if the target lies outside [low, high) around the site
	SITE_TAIL_MEMORY,   // `jmp *disp(base, index, scale)`: the same, target read from there
	SITE_CALLER,	    // behind a call
};

enum {
	CONDITION_NONE = 0xff,
	REGISTER_NONE = 0xff,
	REGISTER_IP = 16, // base of a rip-relative operand; 0..15 are the x86-64 encodings (0 rax, 4 rsp, 5 rbp, ...)
};

struct site {
	contract_u8 kind; // enum site_kind
	// x86 condition code 0..15.  SITE_TAIL_IF leaves if it holds; an entry, exit or caller counts only if it does
	// not hold, as the `jcc` under the breakpoint then falls through.
	contract_u8 condition;
	contract_u8 cfa_register;    // CFA = register + cfa_offset at this instruction (DWARF 6.4.1)
	contract_u8 base;	     // of the jump's operand, or REGISTER_NONE
	contract_u8 index;	     // of the jump's operand, or REGISTER_NONE
	contract_u8 scale;	     // 1, 2, 4, 8
	contract_u8 length;	     // of the instruction, bytes
	contract_u8 result_register; // where the function's result is here, or REGISTER_NONE
	contract_u8 cfa_indirect;    // 1: CFA = the 8 bytes at register + cfa_offset
	contract_u8 padding[3];	     // zero
	contract_u32 return_offset;  // of a caller: rip - return address, bytes
	contract_s64 cfa_offset;
	contract_s64 displacement;	  // of the jump's operand
	contract_s64 low, high;		  // the function, relative to the site's address
	contract_s64 cold_low, cold_high; // its `.cold` part, likewise; equal if none
};
CONTRACT_SIZE(site, 64);

// ---- frames: calls that are open
// --------------------------------------------------------------------------------------
enum outcome {
	OUTCOME_RETURNED = 1,	// `result` holds
	OUTCOME_RESULT_UNKNOWN, // at a jump to another function, or where the result has been overwritten
	OUTCOME_ERROR,		// left without a return: exception, panic, longjmp, pthread_exit
};

enum { DEPTH_UNKNOWN = 0xffff }; // where frames have no order

struct frame {
	contract_u64 cfa;	     // a goroutine's: distance from the end of its stack
	contract_u64 return_address; // 0: not asked for
	contract_u64 start_ns;
	contract_u64 elapsed_ns; // from here on: set at the end, before the instruments run
	contract_u64 result;
	contract_u32 outcome;		    // enum outcome; of an open frame in the hash table its thread
	contract_u16 function;		    // its number in the probe with its flags, of the call
	contract_u16 depth;		    // open calls of the thread around it, or DEPTH_UNKNOWN
	CONTRACT_TAIL(contract_u64, saved); // values of the call; as many as the probe needs
};
CONTRACT_SIZE(frame, 48);

// Of one thread, in task-local storage: outermost first.
struct thread_frames {
	contract_u32 depth; // frames in use
	contract_u32 reserved;
	CONTRACT_TAIL(contract_u8, frames); // a power of two of them, of the probe's frame size
};
CONTRACT_SIZE(thread_frames, 8);

// Where stacks are switched, frames are in a hash table.
struct frame_key {
	contract_u64 stack; // a goroutine's `g`; else 0
	contract_u64 cfa;
	contract_u32 tgid;
	contract_u32 reserved; // zero
};
CONTRACT_SIZE(frame_key, 24);

// ---- what an `evaluate` hole fills for a fold; on the stencil's stack
// ----------------------------------------------------
struct evaluation {
	contract_s64 value;
	contract_u8 key[KEY_MAX]; // label key, as many bytes as the instrument's layout has; the rest is not touched
};
CONTRACT_SIZE(evaluation, 136);

// ---- records: through the ring
// -----------------------------------------------------------------------------------------
enum record_kind {
	RECORD_EVENT = 1, // an instrument's record; `instrument` and the payload say the rest
	RECORD_SPENT,	  // the probe's last hit was used up; header only
	RECORD_EXEC,	  // a process executed a new program; `tgid` says which; header only
	RECORD_FORK,	  // a process of the map `parents` made another; `tid` is the new one's tgid; header only
	RECORD_CALLER,	  // a caller that the map `callers` did not have; struct caller
};

struct record {
	contract_u32 size;	 // of the whole record, bytes
	contract_u16 kind;	 // enum record_kind
	contract_u16 instrument; // index in the probe
	contract_u32 probe;	 // control.probe
	contract_u32 tgid;	 // process, in the initial pid namespace
	contract_u32 tid;
	contract_u32 outcome; // enum outcome; 0 for what is no end of a call
	contract_u64 time_ns;
	contract_u8 comm[16];		     // NUL-padded
	CONTRACT_TAIL(contract_u8, payload); // event::Layout
};
CONTRACT_SIZE(record, 48);

// The last byte of a text's column in a payload: 0 behind a whole text, and where the text goes on:
enum { TEXT_TRUNCATED = 1 };

struct caller { // payload of RECORD_CALLER
	contract_u64 return_address;
	contract_u32 function; // its number in the probe, of the call
	contract_u32 reserved; // zero
};
CONTRACT_SIZE(caller, 16);

#endif
