/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the probe still measures: the daemon's word, the deadline, the processes, the hits. */
#ifndef DIAGNOSE_BPF_ADMIT_H
#define DIAGNOSE_BPF_ADMIT_H

#include "stencil.bpf.h"

static __always_inline struct control *the_control(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline u64 *the_ledger(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&ledger, &zero);
}

static __always_inline int measures(struct control *now)
{
	/* Ticks (1 to 10 ms) are one load; a daemon that hangs cannot make a probe outlive its lifespan. */
	return now->enabled && bpf_jiffies64() <= now->deadline_jiffies;
}

/* The keys of all probes' processes, together; the daemon makes it once. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES_MAX);
	__type(key, u64);
	__type(value, u32);
} processes __weak SEC(".maps");

/* The same at an entry, where processes count too: only what was entered can end. */
static __always_inline int measures_calls(struct control *now)
{
	if (!measures(now))
		return 0;
	if (now->filter) {
		u64 key = (u64)now->probe << 32 | bpf_get_current_pid_tgid() >> 32;

		return bpf_map_lookup_elem(&processes, &key) != 0;
	}
	return 1;
}

/* One more call; 0 if the hits are used up. */
static __always_inline int admit_call(struct control *now, u64 *words)
{
	if (now->limit_hits && __sync_fetch_and_add(&now->hits_left, -1) <= 0)
		return 0;
	add(&words[LEDGER_HITS], 1);
	return 1;
}

/* So many calls are over with, counted or lost.  The last one wakes the daemon. */
static __always_inline void finish_calls(struct control *now, s64 calls)
{
	struct record *record;
	s64 left;

	if (!now->limit_hits)
		return;
	left = __sync_fetch_and_add(&now->ends_left, -calls);
	if (left <= 0 || left > calls)
		return;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record)
		return; /* the daemon's own timer finds it a second later */
	fill_header(record, sizeof(*record), RECORD_SPENT, 0, now->probe);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

#endif
