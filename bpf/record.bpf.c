// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One record through the ring: logs, and metrics that are folded by the daemon. */
#include "admit.bpf.h"

HOLE(admit, HOLE_ADMIT)
HOLE(evaluate, HOLE_EVALUATE)

enum { RATE_ATTEMPTS = 4 };

/* One more record in this window of time?  Who comes first in a new one opens it. */
static __always_inline int within_rate(struct control *now)
{
	u32 window = bpf_jiffies64() >> now->rate_shift;

	for (int attempt = 0; attempt < RATE_ATTEMPTS; attempt++) {
		u64 spent = *(volatile u64 *)&now->rate_spent;

		if ((u32)(spent >> 32) != window) {
			if (__sync_val_compare_and_swap(&now->rate_spent, spent, (u64)window << 32 | 1) == spent)
				return 1;
			continue;
		}
		if ((u32)spent >= now->rate_budget)
			return 0;
		/* Should the window have changed meanwhile, the record is the new one's. */
		return (u32)__sync_fetch_and_add(&now->rate_spent, 1) < now->rate_budget;
	}
	return 0;
}

enum { TEMPLATE_RECORD_SIZE = sizeof(struct record) + 8 };

BODY(record)
{
	struct record *record;
	struct control *now;

	if (!admit(ctx, frame, NONE, words))
		return 0;
	now = the_control();
	if (!now)
		return 0;
	if (!within_rate(now)) {
		count_loss(words, LOSS_RATE);
		return 0;
	}
	record = bpf_ringbuf_reserve(&records, PATCHED(CONSTANT_RECORD_SIZE, TEMPLATE_RECORD_SIZE), 0);
	if (!record) {
		count_loss(words, LOSS_RING_FULL); /* a full ring shows as a number, never as silence */
		return 0;
	}
	fill_header(record, PATCHED(CONSTANT_RECORD_SIZE, TEMPLATE_RECORD_SIZE), RECORD_EVENT,
		    PATCHED(CONSTANT_INSTRUMENT, 0), now->probe);
	if (frame)
		record->outcome = frame->outcome;
	if (!evaluate(ctx, frame, record->payload, words)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(record, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
