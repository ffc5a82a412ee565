// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Driver at the exits: `ret`, and jumps that may leave the function. */
#include "frames.bpf.h"

HOLE(run_return, HOLE_RETURN)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct site);
} sites __weak SEC(".maps");

/* x86-64 encodings; the context may only be read at constant offsets. */
static __noinline u64 register_of(struct pt_regs *ctx, struct site *site, u32 number)
{
	switch (number) {
	case 0:
		return ctx->rax;
	case 1:
		return ctx->rcx;
	case 2:
		return ctx->rdx;
	case 3:
		return ctx->rbx;
	case 4:
		return ctx->rsp;
	case 5:
		return ctx->rbp;
	case 6:
		return ctx->rsi;
	case 7:
		return ctx->rdi;
	case 8:
		return ctx->r8;
	case 9:
		return ctx->r9;
	case 10:
		return ctx->r10;
	case 11:
		return ctx->r11;
	case 12:
		return ctx->r12;
	case 13:
		return ctx->r13;
	case 14:
		return ctx->r14;
	case 15:
		return ctx->r15;
	case REGISTER_IP:
		return ctx->rip + site->length;
	default:
		return 0;
	}
}

/* Intel SDM volume 1, appendix B: condition codes; odd ones negate. */
static __always_inline int condition_holds(u64 flags, u8 condition)
{
	int carry = flags & 1, parity = (flags >> 2) & 1, zero = (flags >> 6) & 1, sign = (flags >> 7) & 1;
	int overflow = (flags >> 11) & 1, holds;

	switch (condition >> 1) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry | zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign ^ overflow;
		break;
	default:
		holds = zero | (sign ^ overflow);
		break;
	}
	return holds ^ (condition & 1);
}

/* Does the jump at `site` go out of the function? */
static __noinline int leaves(struct pt_regs *ctx, struct site *site, u64 *words)
{
	u64 target = 0;
	s64 distance;

	if (!ctx || !site || !words)
		return 0;
	if (site->kind == SITE_EXIT || site->kind == SITE_TAIL)
		return 1;
	if (site->kind == SITE_TAIL_IF)
		return condition_holds(ctx->eflags, site->condition);
	target =
	    register_of(ctx, site, site->base) + register_of(ctx, site, site->index) * site->scale + site->displacement;
	if (site->kind == SITE_TAIL_MEMORY && bpf_probe_read_user(&target, sizeof(target), (void *)target)) {
		count_loss(words, LOSS_UNREADABLE);
		return 0;
	}
	distance = target - ctx->rip;
	if (distance >= site->low && distance < site->high)
		return 0;
	return !(distance >= site->cold_low && distance < site->cold_high);
}

static __always_inline struct frame *close_frame(struct thread_frames *thread, u64 cfa, struct control *now, u64 *words)
{
	u32 depth = drop_left(thread, cfa, 0, now, words);
	struct frame *top;

	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0; /* entered before the probe was there */
	top = frame_at(thread, depth - 1);
	if (top->cfa != cfa) {
		if (thread->overflowed)
			thread->overflowed--; /* its entry was counted as lost */
		return 0;
	}
	thread->depth = depth - 1;
	thread->overflowed = 0;
	return top;
}

SEC("uprobe") int on_exit(struct pt_regs *ctx)
{
	u64 time_ns = bpf_ktime_get_ns(); /* first: our own work is not the function's time */
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct thread_frames *thread;
	struct frame *frame;
	u64 cfa = ctx->rsp + 8;
	u64 returned = 1;
	u32 cookie;

	if (!now || !words || !measures(now))
		return 0;
	cookie = bpf_get_attach_cookie(ctx);
	if (cookie) { /* 0 is a plain `ret`; else the number of a struct site, from 1 */
		u32 index = cookie - 1;
		struct site *site = bpf_map_lookup_elem(&sites, &index);

		if (!site || !leaves(ctx, site, words))
			return 0;
		cfa = register_of(ctx, site, site->cfa_register) + site->cfa_offset;
		returned = site->kind == SITE_EXIT;
	}
	thread = bpf_task_storage_get(&frames, bpf_get_current_task_btf(), 0, 0);
	if (!thread)
		return 0;
	frame = close_frame(thread, cfa, now, words);
	if (!frame)
		return 0;
	frame->elapsed_ns = time_ns - frame->start_ns;
	frame->returned = returned;
	run_return(ctx, frame, NONE, words);
	finish_calls(now, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
