// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where frames are left without a return: the unwinders' landing, longjmp, and the end of a thread. */
#include "frames.bpf.h"
#include "unwind.bpf.h"

SEC("uprobe") int on_unwind(struct pt_regs *ctx)
{
	u64 time_ns = bpf_ktime_get_ns(), limit;
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct thread_frames *thread;
	u32 depth;

	if (!now || !words || !measures(now))
		return 0;
	thread = the_frames(0);
	if (!thread)
		return 0;
	depth = thread->depth;
	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0;
	limit = limit_at(ctx, bpf_get_attach_cookie(ctx), words);
	if (limit && frame_at(thread, depth - 1)->cfa <= limit)
		leave_frames(thread, frames_above(thread, depth, limit), time_ns);
	return 0;
}

/* Also right for sched_process_exec: what the thread had open belongs to a program that is no more. */
SEC("raw_tp") int on_thread_end(struct bpf_raw_tracepoint_args *ctx)
{
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct thread_frames *thread;
	u32 depth;

	if (!now || !words || !measures(now))
		return 0;
	thread = the_frames(0);
	if (!thread)
		return 0;
	depth = thread->depth;
	thread->depth = 0;
	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0;
	add(&words[LEDGER_LOST_FIRST + LOSS_LEFT], depth);
	finish_calls(now, depth);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
