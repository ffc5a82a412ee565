/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where frames are left without a return, how far they are: what lies at the limit or below it is left. */
#ifndef DIAGNOSE_BPF_UNWIND_H
#define DIAGNOSE_BPF_UNWIND_H

#include "calls.bpf.h"

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

#endif
