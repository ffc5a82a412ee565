/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open calls of one probe on one thread, innermost last, in task-local storage.  Entry and end of one call meet under
 * its canonical frame address.  On one stack a frame below a later event's address has been left without a return: it
 * is closed as an error, on the spot.
 */
#ifndef DIAGNOSE_BPF_FRAMES_H
#define DIAGNOSE_BPF_FRAMES_H

#include "calls.bpf.h"

HOLE(run_error, HOLE_ERROR)

struct template_frames {
	u64 words[(sizeof(struct thread_frames) + FRAMES_PER_THREAD * TEMPLATE_FRAME_SIZE) / 8];
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct template_frames);
} frames __weak SEC(".maps");

/* May several frames have one CFA? */
#define FRAMES_ARE_STACKED PATCHED(CONSTANT_STACKED, 1)

/* What remains of a frame's place until it is let go: nothing. */
struct place {
};

static __always_inline struct thread_frames *the_frames(u64 flags)
{
	return bpf_task_storage_get(&frames, bpf_get_current_task_btf(), 0, flags);
}

/* The verifier of 6.1 keeps the bounds of a product only where the constant is on the right, and the compiler puts it
 * where it likes. */
static __always_inline u64 product(u64 index, u64 size)
{
	asm volatile("%[index] *= %[size]" : [index] "+r"(index) : [size] "r"(size));
	return index;
}

static __always_inline struct frame *frame_at(struct thread_frames *thread, u32 index)
{
	u64 size = PATCHED(CONSTANT_FRAME_SIZE, TEMPLATE_FRAME_SIZE);

	return (void *)thread + sizeof(*thread) +
	       product(index & PATCHED(CONSTANT_FRAMES_MASK, FRAMES_PER_THREAD - 1), size);
}

/* 1 if a < b, which are less than 2^63 apart.  The compiler must not see what it is: it would branch. */
static __always_inline u64 is_less(u64 a, u64 b)
{
	u64 difference = a - b;

	asm volatile("" : "+r"(difference));
	return difference >> 63;
}

/* How many frames, from the outermost, lie above `cfa`: they are in descending order.  A binary search without a
 * branch, which the verifier walks once: with branches it walks a hundred ways.  User addresses fit 63 bits.
 */
static __always_inline u32 frames_above(struct thread_frames *thread, u32 depth, u64 cfa)
{
	u32 found = 0;

#pragma unroll
	for (u32 step = FRAMES_PER_THREAD; step > 0; step /= 2) {
		u32 last = found + step - 1;

		found += step * (is_less(cfa, frame_at(thread, last)->cfa) & is_less(last, depth));
	}
	return found;
}

struct leaving {
	struct thread_frames *thread;
	u64 time_ns;
	u32 top;
};

/* One frame, from the innermost on.  Little is handed over, as the stack of a deep chain of calls is short. */
static long leave_frame(u32 index, struct leaving *leaving)
{
	struct frame *frame = frame_at(leaving->thread, leaving->top - index);
	struct control *now = the_control();
	u64 *words = the_ledger();

	if (!now || !words)
		return 1;
	end_frame(frame, leaving->time_ns, 0, OUTCOME_ERROR);
	run_error(NONE, frame, NONE, words);
	finish_calls(now, 1);
	return 0;
}

/* Closes the frames above `kept` of them as errors. */
static __noinline u32 leave_frames(struct thread_frames *thread, u32 kept, u64 time_ns)
{
	struct leaving leaving = {.thread = thread, .time_ns = time_ns};

	if (!thread || thread->depth > FRAMES_PER_THREAD || thread->depth <= kept)
		return kept;
	leaving.top = thread->depth - 1;
	bpf_loop(thread->depth - kept, leave_frame, &leaving, 0);
	thread->depth = kept;
	return kept;
}

/* Has the function of `top` jumped to the one that is entered?  Both return to the same place. */
static __always_inline int jumped_from(struct frame *top, struct call *call)
{
	u64 return_address = call->return_address;

	if (!FRAMES_ARE_STACKED || !may_have_jumped(top, call))
		return 0;
	if (top->return_address == 0)
		return 1;
	if (return_address == 0)
		return_address = return_address_at(call->cfa);
	return top->return_address == return_address;
}

/* The depth at which `call` opens its frame, where one at its CFA or below has been found. */
static __noinline u32 depth_for(struct thread_frames *thread, struct call *call)
{
	u32 kept;

	if (!thread || !call || thread->depth > FRAMES_PER_THREAD)
		return 0;
	kept = frames_above(thread, thread->depth, call->cfa - 1);
	if (kept > 0 && frame_at(thread, kept - 1)->cfa == call->cfa && !jumped_from(frame_at(thread, kept - 1), call))
		kept = frames_above(thread, kept, call->cfa);
	return leave_frames(thread, kept, bpf_ktime_get_ns());
}

/* Nothing, with the loss counted, where there is no room. */
static __always_inline struct frame *open_frame(struct pt_regs *ctx, struct call *call, u64 *words)
{
	struct thread_frames *thread = the_frames(BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct frame *frame;
	u32 depth;

	if (!thread) {
		count_loss(words, LOSS_FRAMES_UNAVAILABLE);
		return 0;
	}
	depth = thread->depth;
	if (depth > 0 && frame_at(thread, depth - 1)->cfa <= call->cfa)
		depth = depth_for(thread, call);
	if (depth >= PATCHED(CONSTANT_FRAMES_MAX, FRAMES_PER_THREAD)) {
		count_loss(words, LOSS_FRAMES_FULL);
		return 0;
	}
	thread->depth = depth + 1;
	frame = frame_at(thread, depth);
	frame->depth = depth;
	return frame;
}

static __always_inline struct frame *close_frame(struct pt_regs *ctx, struct end *end, struct place *place, u64 *words)
{
	struct thread_frames *thread = the_frames(0);
	struct frame *top;
	u32 depth;

	if (!thread)
		return 0;
	depth = thread->depth;
	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0; /* entered before the probe was there */
	top = frame_at(thread, depth - 1);
	if (top->cfa < end->cfa) {
		depth = leave_frames(thread, frames_above(thread, depth, end->cfa - 1), end->time_ns);
		if (depth == 0)
			return 0;
		top = frame_at(thread, depth - 1);
	}
	if (top->cfa != end->cfa || (end->return_address && top->return_address != end->return_address))
		return 0;
	thread->depth = depth - 1;
	end->shared = FRAMES_ARE_STACKED && depth > 1 && frame_at(thread, depth - 2)->cfa == end->cfa;
	return top;
}

static __always_inline void forget_frame(struct place *place)
{
}

#endif
