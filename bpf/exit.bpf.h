/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Drivers where calls return: at the exits (`ret`, and jumps that may leave the function), and behind the calls.  The
 * includer brings the frames. */
#ifndef DIAGNOSE_BPF_EXIT_H
#define DIAGNOSE_BPF_EXIT_H

HOLE(run_return, HOLE_RETURN)

/* What a driver knows of the return. */
struct returning {
	struct end end;
	u64 result;
	u32 outcome;
};

/* Does the jump at `site` go out of the function? */
static __always_inline int jumps_out(struct pt_regs *ctx, struct site *site, u64 *words)
{
	u64 target;
	s64 distance;

	if (site->kind == SITE_TAIL)
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

/* Where the cookie does not say everything.  0: nothing returns here. */
static __noinline int returns_at(struct pt_regs *ctx, struct returning *returning, u32 number, u64 *words)
{
	struct site *site = site_by_number(number);

	if (!ctx || !returning || !words || !site)
		return 0;
	if (site->kind == SITE_EXIT || site->kind == SITE_CALLER) {
		if (!falls_through(ctx, site))
			return 0;
		returning->result = register_of(ctx, site, site->result_register);
		if (site->result_register == REGISTER_NONE)
			returning->outcome = OUTCOME_RESULT_UNKNOWN;
		if (site->kind == SITE_CALLER)
			returning->end.return_address = ctx->rip - site->return_offset;
	} else {
		if (!jumps_out(ctx, site, words))
			return 0;
		returning->outcome = OUTCOME_RESULT_UNKNOWN;
	}
	returning->end.cfa = cfa_by_site(ctx, site, words);
	return returning->end.cfa != 0;
}

/* Closes one frame.  0: there was none. */
static __always_inline int close(struct pt_regs *ctx, struct returning *returning, struct control *now, u64 *words)
{
	struct place place;
	struct frame *frame = close_frame(ctx, &returning->end, &place, words);

	if (!frame)
		return 0;
	end_frame(frame, returning->end.time_ns, returning->result, returning->outcome);
	run_return(ctx, frame, NONE, words); /* a result of several words is in the registers still */
	forget_frame(&place);
	finish_calls(now, 1);
	return 1;
}

static __always_inline int leave(struct pt_regs *ctx)
{
	struct returning returning = {
	    .end = {.time_ns = bpf_ktime_get_ns()}, /* first: our work is not the function's */
	    .result = ctx->rax,
	    .outcome = OUTCOME_RETURNED};
	struct control *now = the_control();
	u64 *words = the_ledger();
	u64 cookie;
	u32 number;

	if (!now || !words || !measures(now))
		return 0;
	cookie = bpf_get_attach_cookie(ctx);
	returning.end.cfa = cfa_by_cookie(ctx, cookie);
	number = site_number(cookie);
	if (!number || returns_at(ctx, &returning, number, words))
		close(ctx, &returning, now, words);
	return 0;
}

static long return_too(u32 index, struct returning *returning)
{
	struct control *now = the_control();
	u64 *words = the_ledger();

	/* Functions that have jumped one to the other return together. */
	return !now || !words || !close(NONE, returning, now, words);
}

static __always_inline int come_back(struct pt_regs *ctx)
{
	struct returning returning = {
	    .end = {.time_ns = bpf_ktime_get_ns()}, .result = ctx->rax, .outcome = OUTCOME_RETURNED};
	struct control *now = the_control();
	u64 *words = the_ledger();
	u64 cookie;
	u32 number, detail;

	if (!now || !words || !measures(now))
		return 0;
	cookie = bpf_get_attach_cookie(ctx);
	detail = detail_of(cookie);
	returning.end.cfa = cfa_by_cookie(ctx, cookie);
	returning.end.return_address = detail == CALLER_ANY ? 0 : ctx->rip - detail;
	number = site_number(cookie);
	if (number && !returns_at(ctx, &returning, number, words))
		return 0;
	if (close(ctx, &returning, now, words) && returning.end.shared && returning.end.return_address)
		bpf_loop(FRAMES_PER_THREAD, return_too, &returning, 0);
	return 0;
}

#endif
