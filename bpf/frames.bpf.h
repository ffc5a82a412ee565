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

/* Takes away the frames that were left without a return: those below `cfa`, and one at `cfa` where `and_at`.  Gives the
 * depth that is left. */
static __always_inline u32 drop_left(struct thread_frames *thread, u64 cfa, int and_at, struct control *now, u64 *words)
{
	u32 depth = thread->depth;

	for (int i = 0; i < FRAMES_PER_THREAD; i++) {
		struct frame *top;

		if (depth == 0 || depth > FRAMES_PER_THREAD)
			break;
		top = frame_at(thread, depth - 1);
		if (top->cfa > cfa || (top->cfa == cfa && !and_at))
			break;
		depth--;
		thread->depth = depth;
		thread->overflowed = 0;
		count_loss(words, LOSS_LEFT);
		finish_call(now);
	}
	return depth;
}

#endif
