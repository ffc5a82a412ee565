/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open calls of one probe where stacks are switched or moved: a hash table.  A frame is found whichever thread comes
 * back to it; but there is no order, so a call that a longjmp left is noticed only when another one opens its frame at
 * the same place.  While a frame is open its `outcome` is the thread that opened it.
 */
#ifndef DIAGNOSE_BPF_KEYED_FRAMES_H
#define DIAGNOSE_BPF_KEYED_FRAMES_H

#include "calls.bpf.h"
#include "zeros.bpf.h"

HOLE(run_error, HOLE_ERROR)

struct template_frame {
	u64 words[TEMPLATE_FRAME_SIZE / 8];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FRAMES_MAX);
	__type(key, struct frame_key);
	__type(value, struct template_frame);
} keyed_frames __weak SEC(".maps");

/* The threads that have opened a frame: only their end is worth a look at all frames. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} openers __weak SEC(".maps");

#define FRAMES_ARE_STACKED 0

struct place {
	struct frame_key key;
};

/* Go moves a stack that has become too small: what stays is the distance from its end (runtime2.go: g.stack.hi is the
 * second word of g, which ABIInternal keeps in r14). */
static __always_inline int key_of(struct pt_regs *ctx, u64 cfa, struct frame_key *key)
{
	key->stack = 0;
	key->cfa = cfa;
	key->tgid = bpf_get_current_pid_tgid() >> 32;
	key->reserved = 0;
	if (PATCHED(CONSTANT_GOROUTINES, 1)) {
		u64 high = 0;

		if (bpf_probe_read_user(&high, sizeof(high), (void *)(ctx->r14 + 8)))
			return 0;
		key->stack = ctx->r14;
		key->cfa = high - cfa;
	}
	return 1;
}

static __always_inline int is_opener(u64 flags)
{
	return bpf_task_storage_get(&openers, bpf_get_current_task_btf(), 0, flags) != 0;
}

static __always_inline struct frame *open_frame(struct pt_regs *ctx, struct call *call, u64 *words)
{
	struct frame_key key;
	struct frame *frame;
	u32 zero = 0;
	void *empty;

	if (!key_of(ctx, call->cfa, &key)) {
		count_loss(words, LOSS_UNREADABLE);
		return 0;
	}
	if (!PATCHED(CONSTANT_GOROUTINES, 1) && !is_opener(BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		count_loss(words, LOSS_FRAMES_UNAVAILABLE);
		return 0;
	}
	frame = bpf_map_lookup_elem(&keyed_frames, &key);
	if (frame) {
		struct control *now = the_control();

		if (may_have_jumped(frame, call) && frame->return_address &&
		    frame->return_address == call->return_address) {
			count_loss(words, LOSS_FRAMES_FULL); /* jumped to: there is room for one at a key */
			return 0;
		}
		end_frame(frame, bpf_ktime_get_ns(), 0, OUTCOME_ERROR);
		run_error(NONE, frame, NONE, words);
		if (now)
			finish_calls(now, 1);
		frame->outcome = (u32)bpf_get_current_pid_tgid();
		return frame;
	}
	empty = bpf_map_lookup_elem(&zeros, &zero);
	if (empty && !bpf_map_update_elem(&keyed_frames, &key, empty, BPF_ANY))
		frame = bpf_map_lookup_elem(&keyed_frames, &key);
	if (!frame) {
		count_loss(words, LOSS_FRAMES_UNAVAILABLE);
		return 0;
	}
	frame->depth = DEPTH_UNKNOWN;
	frame->outcome = (u32)bpf_get_current_pid_tgid();
	return frame;
}

static __always_inline struct frame *close_frame(struct pt_regs *ctx, struct end *end, struct place *place, u64 *words)
{
	struct frame *frame;

	if (!key_of(ctx, end->cfa, &place->key))
		return 0;
	frame = bpf_map_lookup_elem(&keyed_frames, &place->key);
	if (!frame || (end->return_address && frame->return_address != end->return_address))
		return 0;
	return frame;
}

static __always_inline void forget_frame(struct place *place)
{
	bpf_map_delete_elem(&keyed_frames, &place->key);
}

#endif
