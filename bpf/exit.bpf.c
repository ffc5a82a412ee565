// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where calls return, frames by thread. */
#include "frames.bpf.h"
#include "exit.bpf.h"

SEC("uprobe") int on_exit(struct pt_regs *ctx)
{
	return leave(ctx);
}

SEC("uprobe") int on_caller(struct pt_regs *ctx)
{
	return come_back(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
