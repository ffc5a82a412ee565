// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The drivers where stacks are switched or moved. */
#include "keyed_frames.bpf.h"
#include "enter.bpf.h"
#include "exit.bpf.h"

SEC("uprobe") int on_enter_keyed(struct pt_regs *ctx)
{
	return enter(ctx, 0);
}

SEC("uprobe") int on_enter_callers_keyed(struct pt_regs *ctx)
{
	return enter(ctx, 1);
}

SEC("uprobe") int on_exit_keyed(struct pt_regs *ctx)
{
	return leave(ctx);
}

SEC("uprobe") int on_caller_keyed(struct pt_regs *ctx)
{
	return come_back(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
