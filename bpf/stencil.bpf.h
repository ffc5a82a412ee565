/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every stencil is made of.  A stencil is an ordinary program whose *holes* are static functions: the daemon
 * copies its relocated instructions, puts a compiled expression where a hole was, swaps map descriptors and constants,
 * and loads the copy (daemon/compile/stencil.h).
 *
 * Holes and constants are marked by a move of a magic number; the instruction behind the marker is what a template
 * needs to pass the verifier by itself.
 */
#ifndef DIAGNOSE_BPF_STENCIL_H
#define DIAGNOSE_BPF_STENCIL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <asm/ptrace.h>
#include <bpf/bpf_helpers.h>
#include "contract.h"
#include "markers.h"

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

/* A null that the compiler cannot see through, so that it keeps the parameter it is given for. */
#define NONE                                                                                                           \
	({                                                                                                             \
		void *none = 0;                                                                                        \
		asm volatile("" : "+r"(none));                                                                         \
		none;                                                                                                  \
	})

/* A function that the daemon supplies; see daemon/compile/evaluation.h for its contract. */
#define HOLE(name, number)                                                                                             \
	static __noinline u64 name(struct pt_regs *ctx, struct frame *frame, void *out, u64 *ledger)                   \
	{                                                                                                              \
		u64 answer;                                                                                            \
		asm volatile("%[answer] = %[marker]; %[answer] = 1"                                                    \
			     : [answer] "=&r"(answer)                                                                  \
			     : [marker] "i"(MARKER_HOLE + (number)), "r"(ctx), "r"(frame), "r"(out), "r"(ledger)       \
			     : "memory");                                                                              \
		return answer;                                                                                         \
	}

/* A constant that the daemon supplies; `preset` is the template's own. */
#define PATCHED(number, preset)                                                                                        \
	({                                                                                                             \
		u64 constant;                                                                                          \
		asm volatile("%[constant] = %[marker]; %[constant] = %[value]"                                         \
			     : [constant] "=r"(constant)                                                               \
			     : [marker] "i"(MARKER_CONSTANT + (number)), [value] "i"(preset));                         \
		constant;                                                                                              \
	})
#define PATCHED_WIDE(number)                                                                                           \
	({                                                                                                             \
		u64 constant;                                                                                          \
		asm volatile("%[constant] = %[marker]; %[constant] = 0 ll"                                             \
			     : [constant] "=r"(constant)                                                               \
			     : [marker] "i"(MARKER_CONSTANT + (number)));                                              \
		constant;                                                                                              \
	})

/* The body of an instrument: a function that a driver's hole `run_call` or `run_return` is filled with.  The compiler
 * must not adapt it to the one template that calls it here, so its arguments are opaque on both sides. */
#define BODY(name)                                                                                                     \
	static __always_inline u64 name##_inlined(struct pt_regs *ctx, struct frame *frame, u64 *words);               \
	static __noinline u64 name(struct pt_regs *ctx, struct frame *frame, void *out, u64 *words)                    \
	{                                                                                                              \
		asm volatile("" : : "r"(ctx), "r"(frame), "r"(out), "r"(words));                                       \
		return words ? name##_inlined(ctx, frame, words) : 0;                                                  \
	}                                                                                                              \
	SEC("uprobe") int stencil_##name(struct pt_regs *ctx)                                                          \
	{                                                                                                              \
		u32 zero = 0;                                                                                          \
                                                                                                                       \
		return name(ctx, NONE, NONE, bpf_map_lookup_elem(&ledger, &zero));                                     \
	}                                                                                                              \
	static __always_inline u64 name##_inlined(struct pt_regs *ctx, struct frame *frame, u64 *words)

/* Maps of a probe.  Their sizes here are the template's; the daemon makes each probe's own.  Weak: every stencil's
 * object declares them and the linker keeps one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct control);
} control __weak SEC(".maps");

struct ledger_words {
	u64 words[LEDGER_FIXED_WORDS + WORDS_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ledger_words);
} ledger __weak SEC(".maps");

/* All probes of the daemon share the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} records __weak SEC(".maps");

static __always_inline void add(u64 *word, u64 value)
{
	__sync_fetch_and_add(word, value); /* programs are preemptible: a plain += loses counts */
}

static __always_inline void count_loss(u64 *words, enum loss reason)
{
	add(&words[LEDGER_LOST_FIRST + reason], 1);
}

static __always_inline void fill_header(struct record *record, u32 size, u32 kind, u32 instrument, u32 probe)
{
	u64 id = bpf_get_current_pid_tgid();

	record->size = size;
	record->kind = kind;
	record->instrument = instrument;
	record->probe = probe;
	record->tgid = id >> 32;
	record->tid = id;
	record->outcome = 0;
	record->time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(record->comm, sizeof(record->comm));
}

#endif
