// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* At the entry, frames by thread. */
#include "frames.bpf.h"
#include "enter.bpf.h"

SEC("uprobe") int on_enter(struct pt_regs *ctx)
{
	return enter(ctx, 0);
}

SEC("uprobe") int on_enter_callers(struct pt_regs *ctx)
{
	return enter(ctx, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
