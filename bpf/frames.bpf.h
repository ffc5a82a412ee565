/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open calls of one probe on one thread, innermost last.  Entry and exit of one call meet under its canonical frame
 * address.  On one stack a frame below a later event's address has been left without a return.
 */
#ifndef DIAGNOSE_BPF_FRAMES_H
#define DIAGNOSE_BPF_FRAMES_H

#include "admit.bpf.h"

enum { TEMPLATE_FRAME_SIZE = sizeof(struct frame) };

struct template_frames {
	u64 words[(sizeof(struct thread_frames) + FRAMES_PER_THREAD * TEMPLATE_FRAME_SIZE) / 8];
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct template_frames);
} frames __weak SEC(".maps");

static __always_inline struct frame *frame_at(struct thread_frames *thread, u32 index)
{
	u64 size = PATCHED(CONSTANT_FRAME_SIZE, TEMPLATE_FRAME_SIZE);

	return (void *)thread + sizeof(*thread) + (index & (FRAMES_PER_THREAD - 1)) * size;
}

/* How many frames, from the outermost, lie above `cfa`: they are in descending order.  A binary search without a
 * branch, which the verifier walks once; a loop with branches cost it a tenth of a second.  User addresses fit 63 bits.
 */
static __always_inline u32 frames_above(struct thread_frames *thread, u32 depth, u64 cfa)
{
	u32 found = 0;

#pragma unroll
	for (u32 step = FRAMES_PER_THREAD; step > 0; step /= 2) {
		u32 last = found + step - 1;
		u64 above = (cfa - frame_at(thread, last)->cfa) >> 63;
		u64 in_use = ((u64)last - depth) >> 63;

		found += step * (above & in_use);
	}
	return found;
}

/* Takes away the frames that were left without a return: those below `cfa`, and one at `cfa` where `and_at`.  Gives the
 * depth that is left. */
static __always_inline u32 drop_left(struct thread_frames *thread, u64 cfa, int and_at, struct control *now, u64 *words)
{
	u32 depth = thread->depth, kept;
	u64 top;

	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0;
	top = frame_at(thread, depth - 1)->cfa;
	if (top > cfa || (top == cfa && !and_at))
		return depth;
	kept = frames_above(thread, depth, and_at ? cfa : cfa - 1);
	thread->depth = kept;
	thread->overflowed = 0;
	add(&words[LEDGER_LOST_FIRST + LOSS_LEFT], depth - kept);
	finish_calls(now, depth - kept);
	return kept;
}

#endif
