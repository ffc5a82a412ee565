// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The same where stacks are switched: every open frame is looked at, and those of this very stack are left.  What lies
 * between the stack pointer and the limit of an unwinder is one stack.  A longjmp may go to another one, so it tells
 * nothing here.
 */
#include "keyed_frames.bpf.h"
#include "unwind.bpf.h"

#define STACK_MAX (16ULL << 20) /* bytes of a thread's own stack */

struct leaving {
	u64 low, limit, time_ns;
	u32 tgid;
	u32 tid;  /* only frames that this thread has opened; 0: whoever has */
	u32 lost; /* 1: their thread has ended, so that nobody knows how they were left */
};

static long leave_frame(void *map, struct frame_key *key, struct frame *frame, struct leaving *leaving)
{
	struct control *now = the_control();
	u64 *words = the_ledger();

	if (!now || !words)
		return 1;
	if (key->tgid != leaving->tgid || key->cfa <= leaving->low || key->cfa > leaving->limit ||
	    (leaving->tid && frame->outcome != leaving->tid))
		return 0;
	if (leaving->lost) {
		count_loss(words, LOSS_LEFT);
	} else {
		end_frame(frame, leaving->time_ns, 0, OUTCOME_ERROR);
		run_error(NONE, frame, NONE, words);
	}
	bpf_map_delete_elem(&keyed_frames, key);
	finish_calls(now, 1);
	return 0;
}

SEC("uprobe") int on_unwind_keyed(struct pt_regs *ctx)
{
	u64 id = bpf_get_current_pid_tgid(), cookie = bpf_get_attach_cookie(ctx);
	struct leaving leaving = {.low = ctx->rsp, .time_ns = bpf_ktime_get_ns(), .tgid = id >> 32};
	struct control *now = the_control();
	u64 *words = the_ledger();

	if (!now || !words || !measures(now) || detail_of(cookie) == UNWIND_LONGJMP)
		return 0;
	leaving.limit = limit_at(ctx, cookie, words);
	if (detail_of(cookie) == UNWIND_THREAD_EXIT) {
		leaving.limit = leaving.low + STACK_MAX;
		leaving.tid = id;
	}
	if (leaving.limit)
		bpf_for_each_map_elem(&keyed_frames, leave_frame, &leaving, 0);
	return 0;
}

/* Frames on the stack that the thread ends on; those on other stacks may yet go on, on other threads. */
SEC("raw_tp") int on_thread_end_keyed(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	struct leaving leaving = {.tgid = id >> 32, .tid = id, .lost = 1};
	struct control *now = the_control();
	struct pt_regs *regs;

	if (!now || !measures(now) || !is_opener(0)) /* threads of every process of the host end here */
		return 0;
	regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (!regs || bpf_probe_read_kernel(&leaving.low, sizeof(leaving.low), &regs->rsp))
		return 0;
	leaving.limit = leaving.low + STACK_MAX;
	bpf_for_each_map_elem(&keyed_frames, leave_frame, &leaving, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
