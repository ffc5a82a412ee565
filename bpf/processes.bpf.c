// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tells the daemon of processes to come, while it waits for some; and of the time.  No stencils: used as they are. */
#include "stencil.bpf.h"
#include <bpf/bpf_core_read.h>

/* As much of the kernel's as is needed; libbpf finds the offsets in the running kernel's BTF. */
struct task_struct {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

/* Processes whose children the daemon wants to know of, by tgid; 0 stands for every process.  The value says nothing.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PARENTS_MAX);
	__type(key, u32);
	__type(value, u32);
} parents SEC(".maps");

static __always_inline int tell(u32 kind, u32 child)
{
	struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record)
		return 0; /* the daemon also looks by itself, now and then */
	fill_header(record, sizeof(*record), kind, 0, 0);
	if (child)
		record->tid = child;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

SEC("raw_tp/sched_process_exec") int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(RECORD_EXEC, 0);
}

/* Runs in the parent.  Threads are made a thousand times as often as processes, and are no concern of ours. */
SEC("raw_tp/sched_process_fork") int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (void *)ctx->args[1];
	u32 parent = bpf_get_current_pid_tgid() >> 32, everyone = 0, tgid = BPF_CORE_READ(child, tgid);

	if (BPF_CORE_READ(child, pid) != (int)tgid)
		return 0;
	if (!bpf_map_lookup_elem(&parents, &parent) && !bpf_map_lookup_elem(&parents, &everyone))
		return 0;
	return tell(RECORD_FORK, tgid);
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
