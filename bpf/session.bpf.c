// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An uprobe session (6.13): one program at the entry and the return of a function that cannot be left any other way.
 * The kernel keeps 8 bytes between the two: the time of the entry, so that no frame is needed.  In an object of its
 * own, which kernels without sessions do not load.
 */
#include "calls.bpf.h"

HOLE(run_call, HOLE_CALL)
HOLE(run_return, HOLE_RETURN)

extern _Bool bpf_session_is_return(void) __weak __ksym;
extern __u64 *bpf_session_cookie(void) __weak __ksym;

enum { WITHOUT_RETURN = 1 }; /* the answer at an entry whose return is of no interest */

static __always_inline int come_back(struct pt_regs *ctx, u64 start_ns)
{
	struct frame frame = {.start_ns = start_ns, .depth = DEPTH_UNKNOWN, .return_address = ctx->rip};
	u64 time_ns = bpf_ktime_get_ns(); /* first: our work is not the function's */
	struct control *now = the_control();
	u64 *words = the_ledger();

	if (!now || !words || !measures(now))
		return 0;
	end_frame(&frame, time_ns, ctx->rax, OUTCOME_RETURNED);
	run_return(ctx, &frame, NONE, words);
	finish_calls(now, 1);
	return 0;
}

SEC("uprobe") int on_session(struct pt_regs *ctx)
{
	u64 *start_ns = bpf_session_cookie();
	struct control *now;
	u64 *words;

	if (bpf_session_is_return())
		return come_back(ctx, *start_ns);
	now = the_control();
	words = the_ledger();
	if (!now || !words || !measures_calls(now) || !admit_call(now, words))
		return WITHOUT_RETURN;
	run_call(ctx, NONE, NONE, words);
	*start_ns = bpf_ktime_get_ns(); /* last, for the same reason */
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
