// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One record through the ring: logs, and metrics that are folded by the daemon. */
#include "admit.bpf.h"

HOLE(admit, HOLE_ADMIT)
HOLE(evaluate, HOLE_EVALUATE)

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
	record = bpf_ringbuf_reserve(&records, PATCHED(CONSTANT_RECORD_SIZE, TEMPLATE_RECORD_SIZE), 0);
	if (!record) {
		count_loss(words, LOSS_RING_FULL); /* a full ring shows as a number, never as silence */
		return 0;
	}
	fill_header(record, PATCHED(CONSTANT_RECORD_SIZE, TEMPLATE_RECORD_SIZE), RECORD_EVENT,
		    PATCHED(CONSTANT_INSTRUMENT, 0), now->probe);
	if (!evaluate(ctx, frame, record->payload, words)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(record, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
