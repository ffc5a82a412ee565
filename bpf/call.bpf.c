// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Driver of a probe that wants only the call. */
#include "admit.bpf.h"
#include "site.bpf.h"

HOLE(run_call, HOLE_CALL)

SEC("uprobe") int on_call(struct pt_regs *ctx)
{
	struct control *now = the_control();
	u64 *words = the_ledger();

	if (!now || !words || !measures_calls(now) || !entered_cfa(ctx, bpf_get_attach_cookie(ctx), words) ||
	    !admit_call(now, words))
		return 0;
	run_call(ctx, NONE, NONE, words);
	finish_calls(now, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
