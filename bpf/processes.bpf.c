// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tells the daemon of processes to come, while it waits for some; and of the time.  No stencils: used as they are. */
#include "stencil.bpf.h"

static __always_inline int tell(u32 kind)
{
	struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record)
		return 0; /* the daemon also looks by itself, now and then */
	fill_header(record, sizeof(*record), kind, 0, 0);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

SEC("raw_tp/sched_process_exec") int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(RECORD_EXEC);
}

SEC("raw_tp/sched_process_fork") int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(RECORD_FORK);
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ticks);
} ticks SEC(".maps");

/* Run by the daemon itself (BPF_PROG_TEST_RUN), attached to nothing. */
SEC("raw_tp") int read_ticks(struct bpf_raw_tracepoint_args *ctx)
{
	u32 zero = 0;
	struct ticks *now = bpf_map_lookup_elem(&ticks, &zero);

	if (now) {
		now->jiffies = bpf_jiffies64();
		now->time_ns = bpf_ktime_get_ns();
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
