// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where frames are left without a return: the unwinders' landing, longjmp, and the end of a thread. */
#include "frames.bpf.h"

enum {
	CONTEXT_CFA = 144, /* libgcc: struct _Unwind_Context begins with reg[DWARF_FRAME_REGISTERS + 1], 18 pointers */
	BUFFER_RSP = 6,	   /* glibc, sysdeps/x86_64/jmpbuf-offsets.h: JB_RSP */
	POINTER_GUARD = 0x30, /* glibc, sysdeps/x86_64/nptl/tls.h: tcbhead_t */
	MANGLING_BITS = 17,   /* glibc, PTR_MANGLE: xor with the guard, then rotate left by 2 * 8 + 1 */
};
#define LEAP_MAX (64ULL << 20) /* bytes of stack that a longjmp leaves: more is no stack pointer */

/* The kernel's own, as far as it is read here; libbpf finds where the field is (CO-RE). */
struct thread_struct {
	unsigned long fsbase;
} __attribute__((preserve_access_index));
struct task_struct {
	struct thread_struct thread;
} __attribute__((preserve_access_index));

/* All give 0 for what is no stack pointer. */
static __always_inline u64 limit_of_landing(struct pt_regs *ctx)
{
	u64 limit = 0;

	if (bpf_probe_read_user(&limit, sizeof(limit), (void *)(ctx->rdi + CONTEXT_CFA)))
		return 0;
	return limit > ctx->rsp && limit % 8 == 0 ? limit : 0;
}

static __always_inline u64 limit_of_leap(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	u64 mangled = 0, guard = 0, limit;

	if (bpf_probe_read_user(&mangled, sizeof(mangled), (void *)(ctx->rdi + BUFFER_RSP * 8)) ||
	    bpf_probe_read_user(&guard, sizeof(guard), (void *)(task->thread.fsbase + POINTER_GUARD)))
		return 0;
	limit = (mangled >> MANGLING_BITS | mangled << (64 - MANGLING_BITS)) ^ guard;
	return limit > ctx->rsp && limit - ctx->rsp <= LEAP_MAX ? limit : 0;
}

static __always_inline u64 limit_at(struct pt_regs *ctx, u64 cookie, u64 *words)
{
	switch (detail_of(cookie)) {
	case UNWIND_SET_IP:
		return limit_of_landing(ctx);
	case UNWIND_BEGIN_CATCH:
		return entered_cfa(ctx, cookie, words);
	case UNWIND_LONGJMP:
		return limit_of_leap(ctx);
	default:
		return ~0ULL >> 1;
	}
}

SEC("uprobe") int on_unwind(struct pt_regs *ctx)
{
	u64 time_ns = bpf_ktime_get_ns(), limit;
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct thread_frames *thread;
	u32 depth;

	if (!now || !words || !measures(now))
		return 0;
	thread = the_frames(0);
	if (!thread)
		return 0;
	depth = thread->depth;
	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0;
	limit = limit_at(ctx, bpf_get_attach_cookie(ctx), words);
	if (limit && frame_at(thread, depth - 1)->cfa <= limit)
		leave_frames(thread, frames_above(thread, depth, limit), time_ns);
	return 0;
}

/* Also right for sched_process_exec: what the thread had open belongs to a program that is no more. */
SEC("raw_tp") int on_thread_end(struct bpf_raw_tracepoint_args *ctx)
{
	struct control *now = the_control();
	u64 *words = the_ledger();
	struct thread_frames *thread;
	u32 depth;

	if (!now || !words || !measures(now))
		return 0;
	thread = the_frames(0);
	if (!thread)
		return 0;
	depth = thread->depth;
	thread->depth = 0;
	if (depth == 0 || depth > FRAMES_PER_THREAD)
		return 0;
	add(&words[LEDGER_LOST_FIRST + LOSS_LEFT], depth);
	finish_calls(now, depth);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
