// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Driver at the entry of a probe that wants the return: opens a frame. */
#include "frames.bpf.h"

HOLE(capture, HOLE_CAPTURE)
HOLE(run_call, HOLE_CALL)

static __always_inline struct frame *open_frame(struct thread_frames *thread, u64 cfa, struct control *now, u64 *words)
{
	u32 depth = drop_left(thread, cfa, 1, now, words);
	struct frame *frame;

	if (depth >= FRAMES_PER_THREAD) {
		thread->overflowed++;
		count_loss(words, LOSS_FRAMES_FULL);
		finish_calls(now, 1);
		return 0;
	}
	frame = frame_at(thread, depth);
	frame->cfa = cfa;
	frame->elapsed_ns = 0;
	thread->depth = depth + 1;
	return frame;
}

SEC("uprobe") int on_enter(struct pt_regs *ctx)
{
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct thread_frames *thread;
	struct frame *frame;

	if (!now || !words || !measures(now) || !admit_call(now, words))
		return 0;
	run_call(ctx, NONE, NONE, words);
	thread = bpf_task_storage_get(&frames, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread) {
		count_loss(words, LOSS_FRAMES_UNAVAILABLE);
		finish_calls(now, 1);
		return 0;
	}
	frame = open_frame(thread, ctx->rsp + 8, now, words);
	if (!frame)
		return 0;
	capture(ctx, frame, NONE, words);
	frame->start_ns = bpf_ktime_get_ns(); /* last: our own work is not the function's time */
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
